"""Which Python .venv is made with, shown on PATHs with interpreters that answer as told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mela.settings import REPOSITORY

SETUP = (REPOSITORY / "stack" / "setup.sh").read_text(encoding="utf-8")
VERSIONS = re.findall(r'^VERSIONS="([\d. ]+)"', SETUP, re.MULTILINE)[0].split()
# No machine has these, so that only what a test lays down is found.
ASKED = "9.3 9.2 9.1"


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    place.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    place.chmod(0o755)
    return place


def python(folder: Path, name: str, version: str, able: str = "able") -> Path:
    """Lay down an interpreter that answers the question of python.sh, and nothing else."""
    return program(folder, name, f'[ "$2" = -c ] && echo "{version} {able} {folder / name}"')


def chosen(path: str, home: Path, **given: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{path}:/usr/bin:/bin",
        "HOME": str(home),
        "VERSIONS": ASKED,
        "UV_VERSION": "1",
        "PYTHON": "",
    }
    return subprocess.run(
        ["sh", str(REPOSITORY / "stack" / "python.sh")],
        env=environment | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["python9.2", "python3"])
def test_the_newest_that_works_is_taken(tmp_path: Path, name: str) -> None:
    python(tmp_path / "a", "python9.1", "9.1")
    newest = python(tmp_path / "b", name, "9.2")
    program(tmp_path / "c", "python9.3", "exit 127")  # a shim of pyenv's without its version

    done = chosen(f"{tmp_path}/a:{tmp_path}/c:{tmp_path}/b", tmp_path)

    assert (done.stdout, done.returncode) == (f"{newest}\n", 0), done.stderr


def test_a_shim_that_fails_does_not_hide_an_interpreter_behind_it(tmp_path: Path) -> None:
    program(tmp_path / "shims", "python9.3", "exit 127")
    behind = python(tmp_path / "b", "python9.3", "9.3")

    assert chosen(f"{tmp_path}/shims:{tmp_path}/b", tmp_path).stdout == f"{behind}\n"


def test_pyenv_s_and_uv_s_are_found_without_being_on_path(tmp_path: Path) -> None:
    pyenv = python(tmp_path / ".pyenv" / "versions" / "9.2.4" / "bin", "python", "9.2")
    assert chosen(str(tmp_path), tmp_path).stdout == f"{pyenv}\n"

    managed = tmp_path / ".local/share/uv/python/cpython-9.3.1-linux-x86_64-gnu/bin"
    fetched = python(managed, "python", "9.3")
    assert chosen(str(tmp_path), tmp_path).stdout == f"{fetched}\n"


def test_an_older_one_that_can_make_an_environment_comes_before_a_newer_that_cannot(
    tmp_path: Path,
) -> None:
    python(tmp_path, "python9.3", "9.3", "unable")
    older = python(tmp_path, "python9.1", "9.1")

    assert chosen(str(tmp_path), tmp_path).stdout == f"{older}\n"


def test_one_that_cannot_make_an_environment_says_which_package_it_lacks(tmp_path: Path) -> None:
    python(tmp_path, "python9.3", "9.3", "unable")

    done = chosen(str(tmp_path), tmp_path)

    assert (done.stdout, done.returncode) == ("", 1)
    assert f"{tmp_path}/python9.3 has neither ensurepip nor pip" in done.stderr
    assert "`apt install python9.3-venv`" in done.stderr


def test_the_one_that_is_named_is_taken_and_no_other(tmp_path: Path) -> None:
    python(tmp_path, "python9.3", "9.3")
    named = python(tmp_path / "own", "mine", "9.1")

    assert chosen(str(tmp_path), tmp_path, PYTHON=str(named)).stdout == f"{named}\n"


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("old", "expected PYTHON to name Python 9.3, 9.2 or 9.1, but old is Python 3.9"),
        ("broken", "CPython with its global lock, but broken does not answer as one"),
        ("none", "expected PYTHON to name an interpreter, but there is no none"),
        ("bare", "has neither ensurepip nor pip"),
    ],
)
def test_one_that_is_named_and_does_not_fit_is_refused(
    tmp_path: Path, named: str, reason: str
) -> None:
    python(tmp_path, "python9.3", "9.3")
    python(tmp_path, "old", "3.9")
    program(tmp_path, "broken", "exit 1")
    python(tmp_path, "bare", "9.2", "unable")

    done = chosen(str(tmp_path), tmp_path, PYTHON=named)

    assert (done.stdout, done.returncode) == ("", 1)
    assert reason in done.stderr


def test_where_none_is_uv_fetches_the_newest(tmp_path: Path) -> None:
    program(tmp_path, "uv", f'echo "$@" >>{tmp_path}/told\n[ "$2" = install ] || echo /x/python')

    done = chosen(str(tmp_path), tmp_path)

    assert (done.stdout, done.returncode) == ("/x/python\n", 0), done.stderr
    told = (tmp_path / "told").read_text(encoding="utf-8").splitlines()
    assert told == ["python install 9.3", "python find --managed-python 9.3"]
    assert "fetching Python 9.3 with uv, as python3 is Python " in done.stderr


def test_an_unfit_python_s_pip_brings_the_uv_that_fetches(tmp_path: Path) -> None:
    uv = "#!/bin/sh\n[ $2 = install ] || echo /x/python"
    program(
        tmp_path,
        "python3",
        f"""case "$*" in
*"-m pip install"*"uv==1") mkdir "$6/bin" && echo '{uv}' >"$6/bin/uv" && chmod +x "$6/bin/uv" ;;
*) exit 1 ;;
esac""",
    )

    done = chosen(str(tmp_path), tmp_path)

    assert (done.stdout, done.returncode) == ("/x/python\n", 0), done.stderr


def test_where_uv_reaches_nothing_a_sentence_says_what_to_install(tmp_path: Path) -> None:
    program(tmp_path, "uv", "echo '  no route to host' >&2; exit 2")

    done = chosen(str(tmp_path), tmp_path)

    assert (done.stdout, done.returncode) == ("", 1)
    assert "expected one of Python 9.3, 9.2 or 9.1, but python3 is Python " in done.stderr
    assert "uv could not fetch it (no route to host)" in done.stderr
    assert "`apt install python3 python3-venv`" in done.stderr
    assert "make setup PYTHON=/path/to/python9.3" in done.stderr


def test_an_environment_s_python_answers_for_the_one_it_was_made_with(tmp_path: Path) -> None:
    """Setup removes `.venv`, and with it the interpreter of an activated one."""
    version = ".".join(map(str, sys.version_info[:2]))
    done = chosen(str(tmp_path), tmp_path, PYTHON=sys.executable, VERSIONS=version)

    assert Path(done.stdout.strip()).samefile(sys._base_executable), done.stderr  # pyright: ignore[reportAttributeAccessIssue]
    assert not done.stdout.startswith(sys.prefix)


def clone(folder: Path) -> Path:
    """Lay down what setup.sh reads, and an environment whose Python says a version."""
    for name in ("stack/setup.sh", "stack/python.sh", "stack/jars.sha256", "pyproject.toml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, folder / name)
    shutil.copytree(REPOSITORY / "requirements", folder / "requirements")
    program(folder / ".venv" / "bin", "python", f'[ "$1" = -c ] && cat "{folder}/version"')
    return folder


def set_up(folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(folder / "stack" / "setup.sh")],
        env={"PATH": os.defpath, "HOME": str(folder)} | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stamp(folder: Path) -> None:
    wanted = re.search(r"^wanted\(\) \{.*?^\}", SETUP, re.MULTILINE | re.DOTALL)
    version = re.search(r"^version\(\) \{.*?^\}", SETUP, re.MULTILINE | re.DOTALL)
    assert wanted is not None
    assert version is not None
    told = subprocess.check_output(
        ["sh", "-c", f"{version[0]}\n{wanted[0]}\nwanted"], cwd=folder, text=True
    )
    (folder / ".venv" / "mela-setup").write_text(told, encoding="utf-8")


def test_an_environment_of_a_supported_python_stays(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    for version in VERSIONS:
        (folder / "version").write_text(f"{version}\n", encoding="utf-8")
        stamp(folder)

        done = set_up(folder)

        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), version


@pytest.mark.parametrize("now", ["3.12", "3.14", "3.10"])
def test_an_environment_whose_python_the_system_replaced_is_made_anew(
    tmp_path: Path, now: str
) -> None:
    """`/usr/bin/python3` is another one after an upgrade, and has none of the packages."""
    folder = clone(tmp_path)
    (folder / "version").write_text("3.11\n", encoding="utf-8")
    stamp(folder)
    (folder / "version").write_text(f"{now}\n", encoding="utf-8")

    done = set_up(folder, PYTHON="none-such")  # ends where an environment would be made

    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no none-such" in done.stderr


def test_another_python_that_is_named_replaces_the_environment(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    (folder / "version").write_text("3.11\n", encoding="utf-8")
    stamp(folder)
    other = program(folder, "other", '[ "$1" = -c ] && echo 3.12')

    assert "other does not answer as one" in set_up(folder, PYTHON=str(other)).stderr
    program(folder, "same", '[ "$1" = -c ] && echo 3.11')
    assert set_up(folder, PYTHON=str(folder / "same")).returncode == 0


def test_every_place_names_the_same_versions() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    allowed = SpecifierSet(project["project"]["requires-python"])
    minors = [f"3.{minor}" for minor in range(20)]

    assert sorted(VERSIONS) == sorted(one for one in minors if f"{one}.1" in allowed)
    assert sorted(VERSIONS, key=lambda one: int(one[2:]), reverse=True) == VERSIONS
    oldest, newest = VERSIONS[-1], VERSIONS[0]
    assert project["tool"]["pyright"]["pythonVersion"] == oldest
    assert project["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert f"--universal --python-version {oldest} " in (REPOSITORY / "Makefile").read_text()
    for page in ("README.md", "CONTRIBUTING.md", "docs/getting-started.md"):
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        assert f"Python {oldest} to {newest}" in text, page


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_the_lock_holds_one_pin_of_each_package_for_each_version(name: str, version: str) -> None:
    lines = (REPOSITORY / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines]
    names = [one.name for one in pins if holds(one, version)]

    assert len(names) > 250
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"==[0-9][\w.]*", str(one.specifier)) for one in pins)
    assert not any("://" in line for line in lines)


def holds(pin: Requirement, version: str) -> bool:
    environment = {"python_version": version, "python_full_version": f"{version}.1"}
    return pin.marker is None or pin.marker.evaluate(environment)


@pytest.mark.integration  # asks the package index where uv's cache lacks something
@pytest.mark.parametrize("version", VERSIONS)
def test_the_lock_resolves_as_wheels_for_each_version(tmp_path: Path, version: str) -> None:
    """No package asks for more than the lock holds, and none has to be compiled on the way."""
    text = (REPOSITORY / "requirements" / "dev.txt").read_text(encoding="utf-8")
    command = [
        *("sh", str(REPOSITORY / "stack" / "uv.sh"), "pip", "compile", "--quiet", "--no-header"),
        *("--no-annotate", "--no-emit-index-url", "--python-version", version),
        *("--only-binary", ":all:", "--no-binary", "pyspark"),
        *("--constraints", str(REPOSITORY / "requirements" / "dev.txt")),
        str(REPOSITORY / "requirements" / "dev.in"),
    ]
    for offline in (["--offline"], []):
        done = subprocess.run(
            [*command, *offline],
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
            cwd=tmp_path,
        )
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    found = {Requirement(line).name for line in done.stdout.splitlines() if "==" in line}
    pins = [Requirement(line) for line in text.splitlines()]
    assert found == {one.name for one in pins if holds(one, version)}

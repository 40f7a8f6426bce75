"""The image: known bases, no root, nothing secret in it; its commands work on this machine."""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from mela.settings import REPOSITORY
from streaming.confinement import OF_A_WORKER, OF_THE_JOB
from tests.delivery.containers import (
    DOCKERFILE,
    IMAGE_PYTHON,
    Image,
    environment_of,
    image_entry,
    instructions,
    last,
    program,
    said,
    serving,
)

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def copied() -> list[str]:
    """Return what is copied from the repository, not from another stage."""
    words = [rest.split() for word, rest in instructions() if word == "COPY"]
    return [source for one in words if "--from" not in one[0] for source in one[:-1]]


def test_hadolint_finds_nothing() -> None:
    done = said(program("hadolint"), str(DOCKERFILE))

    assert (done.returncode, done.stdout) == (0, "")


def test_every_base_is_pinned_by_version_and_digest() -> None:
    known = {rest.split("=")[0]: rest.partition("=")[2] for w, rest in instructions() if w == "ARG"}
    stages = [rest.split() for word, rest in instructions() if word == "FROM"]
    names = {stage[2] for stage in stages}

    assert len(stages) > 2
    for image in (stage[0] for stage in stages if stage[0] not in names):
        pinned = re.sub(r"\$\{(\w+)\}", lambda found: known[found[1]], image)
        assert re.fullmatch(r"[\w/.-]+:[\w.-]+@sha256:[0-9a-f]{64}", pinned), image


def test_its_python_is_one_that_mela_runs_on() -> None:
    version = re.search(r"python:(\d+\.\d+)\.\d+-", DOCKERFILE.read_text(encoding="utf-8"))

    assert version is not None
    assert f"{version[1]}.1" in SpecifierSet(PROJECT["project"]["requires-python"])


def test_it_installs_what_this_environment_was_installed_from_and_by_the_same_uv() -> None:
    setup = (REPOSITORY / "stack" / "setup.sh").read_text(encoding="utf-8")
    ours = re.search(r"^UV=([\d.]+)$", setup, re.MULTILINE)
    dev = (REPOSITORY / "requirements" / "dev.txt").read_text(encoding="utf-8").splitlines()
    runtime = (REPOSITORY / "requirements" / "runtime.txt").read_text(encoding="utf-8").splitlines()

    assert ours is not None
    assert f"uv=={ours[1]} " in DOCKERFILE.read_text(encoding="utf-8")
    assert "requirements/runtime.txt" in copied()
    assert set(runtime) <= set(dev)


def test_all_that_is_copied_is_there_and_all_rooms_are_copied() -> None:
    rooms = {name.partition(".")[0] for name in PROJECT["tool"]["setuptools"]["packages"]}

    assert all((REPOSITORY / source).exists() for source in copied())
    assert rooms | {"dags", "dbt", "mlflow"} <= set(copied())


def test_all_that_is_copied_reaches_the_build_and_nothing_made_here_does() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    kept_out = [line for line in lines if line and line[0] not in "#!"]

    assert {source.partition("/")[0] for source in copied()} == allowed
    for made in ("stack/__pycache__", "mela/x.pyc", "dbt/target", "dags/.env", ".git", ".mela"):
        assert any(fnmatch.fnmatch(made, line.replace("**/", "*/")) for line in kept_out), made


def test_it_does_not_run_as_root_and_holds_no_secret() -> None:
    user = last("USER")

    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert [word for word, _ in instructions()].index("USER") > 0
    for word, rest in instructions():
        assert word != "ADD", rest
        if word in ("ENV", "ARG"):
            assert not re.search(r"PASSWORD|SECRET|TOKEN|_KEY", rest), rest


def test_strategies_may_keep_compiled_code_where_it_says_that_caches_are() -> None:
    """They are confined to some folders of the home, and compile what they use."""
    said = dict(re.findall(r"(\w+)=(\S+)", last("ENV")))
    cache = Path(said["XDG_CACHE_HOME"]).relative_to(said["MELA_HOME"])

    assert str(cache) in OF_THE_JOB
    assert str(cache) in OF_A_WORKER


def test_what_it_says_of_its_health_is_a_command_of_its_own() -> None:
    words = re.search(r"CMD (\[.*\])$", last("HEALTHCHECK"))

    assert words is not None
    python, *options, file = json.loads(words[1])
    assert python == image_entry()[0]
    assert options == ["-I", "-S"]  # no package is found, and none is loaded
    assert file == "/opt/mela/stack/healthy.py"
    source = (REPOSITORY / "stack" / "healthy.py").read_text(encoding="utf-8")
    loaded = set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
    assert loaded == {"__future__", "json", "os", "socket", "sys", "time", "datetime"}


@pytest.mark.integration  # an environment of its own is made for it
@pytest.mark.parametrize(
    ("words", "status", "answer"),
    [
        (["--help"], 2, "python -m stack.container serve NAME"),
        (["serve", "mlfow"], 1, "expected a service among postgres, kafka, mlflow"),
        (["finish", "mlflow"], 1, "expected MELA_MLFLOW__PASSWORD in this container's"),
        (["serve", "mlflow"], 1, "MELA_STACK_MLFLOW_DATABASE_PASSWORD in this container's"),
    ],
)
def test_the_entry_point_says_what_it_lacks(
    words: list[str], status: int, answer: str, image: Image, tmp_path: Path
) -> None:
    given = {"MELA_MLFLOW__URL": "http://mlflow:5000", "MELA_STACK_SECURE": "true"}
    done = in_container(words, given, image, tmp_path)

    assert done.returncode == status
    assert answer in done.stderr
    assert "Traceback" not in done.stderr


def in_container(words: list[str], given: dict[str, str], image: Image, home: Path) -> Any:
    environment = {
        **given,
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
    }
    command = image.here([*image_entry(), *words])
    return said(*command, env={**environment, "MELA_HOME": str(home)}, cwd=home)


@pytest.mark.integration  # an environment of its own is made for it
def test_another_command_runs_in_the_environment_of_a_service(
    project: dict[str, Any], image: Image, tmp_path: Path
) -> None:
    given = environment_of(serving(project)["mlflow"])
    words = ["run", "mlflow", "/bin/sh", "-c", "echo $MLFLOW_BACKEND_STORE_URI; pwd"]
    store, place = in_container(words, given, image, tmp_path).stdout.split()

    password = given["MELA_STACK_MLFLOW_DATABASE_PASSWORD"]
    assert store == f"postgresql+psycopg2://mlflow:{password}@postgres:5432/mlflow"
    assert Path(place) == tmp_path  # not the repository, whose mlflow/ is no package


def test_the_tools_container_has_the_command_line(project: dict[str, Any]) -> None:
    place = Path(project["services"]["mela"]["entrypoint"][0])

    assert place.parent == Path(IMAGE_PYTHON).parent
    assert PROJECT["project"]["scripts"] == {place.name: "cli.main:app"}


@pytest.mark.integration  # an environment of its own is made for it
def test_all_that_it_holds_can_be_imported_from_its_own_packages_alone(
    image: Image, tmp_path: Path
) -> None:
    """What only the tests' environment has would be missing in the image."""
    files = image.root / "mela"
    rooms = ("mela", "backtests", "forecasts", "sources", "warehouse", "streaming", "stack", "cli")
    paths = [path.relative_to(files) for room in rooms for path in (files / room).rglob("*.py")]
    modules = [
        ".".join(path.with_suffix("").parts) for path in paths if "migrations" not in str(path)
    ]
    python = str(image.root / "venv" / "bin" / "python")
    importing = "import sys, importlib; [importlib.import_module(name) for name in sys.argv[1:]]"
    done = said(python, "-W", "ignore", "-c", importing, *sorted(modules), cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(modules) > 150


@pytest.mark.integration  # an environment of its own is made for it
def test_its_programs_start(image: Image, tmp_path: Path) -> None:
    given = {"HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    def start(words: tuple[str, ...]) -> Any:
        program = str(image.root / "venv" / "bin" / words[0])
        return said(program, *words[1:], cwd=tmp_path, env=given)

    with ThreadPoolExecutor() as together:
        started = together.map(
            start, [("mlflow", "--version"), ("airflow", "version"), ("dbt", "--version")]
        )
        for done in started:
            assert done.returncode == 0, done.stderr[-3000:]
            assert re.search(r"\d+\.\d+\.\d+", done.stdout)

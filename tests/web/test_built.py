"""The front end before any browser sees it: types, style, units, the build and its size."""

from __future__ import annotations

import filecmp
import gzip
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from mela.settings import REPOSITORY

WEB = REPOSITORY / "web"
DIST = WEB / "dist"
MOST_FIRST_KB = 300  # JavaScript that a browser needs before it shows anything, compressed
QUICK_S = 1.0  # build.sh with nothing to do; it takes 0.02 s where nobody else works


def run(*words: str, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", *words],
        cwd=REPOSITORY,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def node(*words: str) -> subprocess.CompletedProcess[str]:
    return run("web/node.sh", *words)


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    done = run("web/build.sh", timeout_s=500)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_hold() -> None:
    done = node("tsc", "--noEmit")
    assert done.returncode == 0, done.stdout


def test_biome_finds_nothing() -> None:
    done = node("biome", "check", "--error-on-warnings", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_units_of_the_front_end_pass() -> None:
    done = node("vitest", "run")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert re.search(r"Tests .*\b\d{2,} passed", done.stdout)


def test_the_client_is_generated_from_the_api_as_it_is(tmp_path: Path) -> None:
    done = node("openapi-ts", "--output", str(tmp_path / "client"))
    assert done.returncode == 0, done.stdout + done.stderr

    def differing(found: filecmp.dircmp[str]) -> list[str]:
        here = [*found.diff_files, *found.left_only, *found.right_only]
        return here + [name for part in found.subdirs.values() for name in differing(part)]

    stale = differing(filecmp.dircmp(WEB / "src" / "client", tmp_path / "client"))
    assert stale == [], "sh web/node.sh npm run client"


def first_files() -> set[str]:
    """Return the scripts that index.html asks for, and those that they import at once."""
    manifest = json.loads((DIST / ".vite" / "manifest.json").read_text(encoding="utf-8"))
    found: set[str] = set()
    waiting = [name for name, chunk in manifest.items() if chunk.get("isEntry")]
    while waiting:
        chunk = manifest[waiting.pop()]
        if chunk["file"] not in found:
            found.add(chunk["file"])
            waiting += chunk.get("imports", [])
    return found


def test_the_first_page_needs_little_javascript() -> None:
    scripts = [DIST / name for name in first_files() if name.endswith(".js")]
    size = sum(len(gzip.compress(file.read_bytes())) for file in scripts)

    assert 20 < size / 1024 <= MOST_FIRST_KB


def test_charts_and_the_editor_are_loaded_when_they_are_shown() -> None:
    text = "".join((DIST / name).read_text(encoding="utf-8") for name in first_files())

    for mark in ("cm-editor", "echarts", "lightweight-charts"):
        assert mark not in text, mark


def test_each_file_has_packed_ones_beside_it() -> None:
    for file in (DIST / "assets").glob("*.js"):
        if file.stat().st_size >= 1024:
            packed = [file.with_name(f"{file.name}{end}") for end in (".br", ".gz")]
            assert all(one.stat().st_size < file.stat().st_size for one in packed), file.name


def test_nothing_is_asked_of_another_host_and_no_script_stands_in_the_page() -> None:
    page = (DIST / "index.html").read_text(encoding="utf-8")

    assert "__CSP_NONCE__" in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)


def made_here(folder: str, names: list[str]) -> list[str]:
    """Return what of `web` is no source. A source may be called distribution.ts."""
    return [name for name in names if Path(folder) == WEB and re.match("node_modules$|dist", name)]


def test_a_build_that_is_there_is_not_built_again_and_an_edit_is(tmp_path: Path) -> None:
    before = (DIST / "index.html").stat().st_mtime_ns
    started = time.monotonic()
    done = run("web/build.sh")
    assert (done.returncode, done.stdout) == (0, "")
    assert time.monotonic() - started < QUICK_S
    assert (DIST / "index.html").stat().st_mtime_ns == before

    # In a copy that borrows the packages, an edited source makes another build.
    copy = tmp_path / "web"
    shutil.copytree(WEB, copy, ignore=made_here)
    shutil.copytree(DIST, copy / "dist")
    (copy / "node_modules").symlink_to(WEB / "node_modules")
    (tmp_path / ".venv").symlink_to((REPOSITORY / ".venv").resolve())
    assert run(str(copy / "build.sh")).stdout == ""
    # It leaves little to build, as what is built is not the point here.
    main = 'import "./charts/distribution";\ndocument.title = "edited";\n'
    (copy / "src" / "main.tsx").write_text(main, encoding="utf-8")
    again = run(str(copy / "build.sh"))
    assert "building the web application" in again.stdout, again.stdout + again.stderr
    scripts = (copy / "dist" / "assets").glob("*.js")
    assert any("edited" in script.read_text(encoding="utf-8") for script in scripts)

    # Its name begins as that of the folder of what is built.
    with (copy / "src" / "charts" / "distribution.ts").open("a", encoding="utf-8") as chart:
        chart.write("export const another = 1;\n")
    assert "building the web application" in run(str(copy / "build.sh")).stdout


def test_the_lock_names_no_registry() -> None:
    for lock in (WEB / "package-lock.json", REPOSITORY / "tests/web/browser/package-lock.json"):
        text = lock.read_text(encoding="utf-8")
        assert '"resolved"' not in text
        assert text.count('"integrity"') > 15


def test_every_version_is_pinned() -> None:
    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    versions = {**package["dependencies"], **package["devDependencies"]}

    assert len(versions) > 20
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())

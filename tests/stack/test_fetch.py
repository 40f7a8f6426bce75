from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mela.errors import StackFailed
from mela.settings import Settings
from stack import fetch

GENUINE = b"a jar"
NAME = "spark/one.jar"


@pytest.fixture(autouse=True)
def _one_pinned_jar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    digest = hashlib.sha256(GENUINE).hexdigest()
    monkeypatch.setattr(fetch, "_pinned", lambda: {NAME: digest})
    monkeypatch.setattr(fetch, "default_home", lambda: tmp_path / "default")


def _put(home: Path, content: bytes) -> Path:
    path = home / "jars" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def _ivy_brings(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[str]:
    asked: list[str] = []

    def ivy(_settings: Settings, new: Path, folder: str, dependency: tuple[str, ...], _: bool):
        asked.append(dependency[1])
        (new / folder).mkdir(exist_ok=True)
        (new / NAME).write_bytes(content)

    monkeypatch.setattr(fetch, "_ivy", ivy)
    return asked


def test_jars_that_are_there_are_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(tmp_path, GENUINE)
    asked = _ivy_brings(monkeypatch, b"")

    fetch.ensure_jars(Settings(home=tmp_path))

    assert asked == []


def test_another_homes_jars_are_copied_if_they_are_genuine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(tmp_path / "default", GENUINE)
    asked = _ivy_brings(monkeypatch, b"")

    fetch.ensure_jars(Settings(home=tmp_path / "mine"))

    assert asked == []
    assert (tmp_path / "mine" / "jars" / NAME).read_bytes() == GENUINE


def test_a_damaged_jar_is_fetched_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = _put(tmp_path, b"half a j")
    _ivy_brings(monkeypatch, GENUINE)

    fetch.ensure_jars(Settings(home=tmp_path))

    assert damaged.read_bytes() == GENUINE


def test_a_jar_with_another_content_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ivy_brings(monkeypatch, b"something else")

    with pytest.raises(StackFailed, match=r"one\.jar came with another content"):
        fetch.ensure_jars(Settings(home=tmp_path))

    assert not (tmp_path / "jars" / NAME).exists()


def test_java_is_told_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")

    assert fetch._proxies() == (
        "-Dhttps.proxyHost=proxy.example.org",
        "-Dhttps.proxyPort=3128",
    )

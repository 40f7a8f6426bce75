from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mela.settings import Settings
from stack import java

MODULE = "--add-modules=jdk.incubator.vector"  # Spark asks for it; Java from PyPI lacks it


def _major(home: Path, *words: str) -> str:
    run = subprocess.run(
        (str(home / "bin" / "java"), *words, "-version"), capture_output=True, text=True, check=True
    )
    return run.stderr


def test_the_bundled_java_starts_although_spark_asks_for_a_missing_module(tmp_path: Path) -> None:
    home = java.java_home(Settings(home=tmp_path, java="bundled"))

    assert home == tmp_path / "java"
    assert "version" in _major(home, MODULE)


def test_the_wrapper_hands_on_every_other_word(tmp_path: Path) -> None:
    home = java.java_home(Settings(home=tmp_path, java="bundled"))
    asked = ("-Da=two words", MODULE, "-Db='$x'", "-XshowSettings:properties")

    run = _major(home, *asked)

    assert "a = two words" in run
    assert "b = '$x'" in run


def test_an_old_java_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "old" / "bin" / "java"
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n", encoding="utf-8")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    monkeypatch.setenv("PATH", "/nowhere")

    assert java.java_home(Settings(home=tmp_path)) == tmp_path / "java"


def test_a_new_java_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = java.java_home(Settings(home=tmp_path, java="bundled"))
    monkeypatch.setenv("JAVA_HOME", str(bundled))

    assert java.java_home(Settings(home=tmp_path / "other")) == bundled

from __future__ import annotations

from pathlib import Path

import pytest

import stack
from mela.errors import StackFailed
from mela.settings import Settings
from stack.health import exits


def _log(home: Path, name: str, text: str) -> Path:
    path = home / "logs" / f"{name}.log"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_logs_end_with_the_last_lines(tmp_path: Path) -> None:
    _log(tmp_path, "kafka", "one\ntwo\nthree\n")

    assert list(stack.logs(Settings(home=tmp_path), "kafka", lines=2)) == ["two", "three"]


def test_followed_logs_go_on_after_a_rotation(tmp_path: Path) -> None:
    log = _log(tmp_path, "kafka", "one\ntwo\n")
    lines = stack.logs(Settings(home=tmp_path), "kafka", follow=True, lines=1)

    assert next(lines) == "two"
    log.write_text("new\n", encoding="utf-8")
    assert next(lines) == "new"


def test_an_unknown_log_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(StackFailed, match=r"postgres, kafka, .*supervisord, but found 'oracle'"):
        list(stack.logs(Settings(home=tmp_path), "oracle"))


def test_restarts_count_since_the_supervisor_began(tmp_path: Path) -> None:
    text = (
        "INFO exited: kafka (terminated by SIGKILL; not expected)\n"
        "INFO supervisord started with pid 7\n"
        "INFO exited: kafka (exit status 1; not expected)\n"
        "INFO stopped: kafka (exit status 143)\n"
        "INFO exited: kafka-two (exit status 1; not expected)\n"
    )

    assert exits(_log(tmp_path, "supervisord", text), "kafka") == 1

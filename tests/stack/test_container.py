"""stack/container.py: a step that is done once is tried again where it failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mela.errors import StackFailed
from services.monitoring.job_state import state_file
from stack import container


def failing(times: int) -> tuple[list[int], object]:
    tries: list[int] = []

    def step() -> None:
        tries.append(len(tries))
        if len(tries) <= times:
            raise StackFailed("the machine is busy")

    return tries, step


def test_a_step_that_fails_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(container, "WAITS_S", (0.0, 0.0))
    tries, step = failing(2)
    container.again(step)  # type: ignore[arg-type]
    assert tries == [0, 1, 2]
    assert capsys.readouterr().err.count("the machine is busy\ntrying again in 0 s") == 2


def test_what_is_wrong_for_good_is_raised_in_the_end_and_a_missing_variable_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(container, "WAITS_S", (0.0, 0.0))
    tries, step = failing(9)
    with pytest.raises(StackFailed, match="the machine is busy"):
        container.again(step)  # type: ignore[arg-type]
    assert len(tries) == 3
    monkeypatch.setattr(container, "WAITS_S", (1e9,))
    with pytest.raises(StackFailed, match="expected MELA_NOWHERE in this container's environment"):
        container.again(lambda: container.site({}).kept["MELA_NOWHERE"])


def test_only_the_streaming_job_forgets_what_an_older_one_said(tmp_path: Path) -> None:
    """The monitor and the web application read it too, from a volume that they may not write."""
    said = state_file(tmp_path)
    said.parent.mkdir(parents=True)
    said.write_text("{}", encoding="utf-8")
    for name in set(container.services()) - {"spark"}:
        container.forget(name, tmp_path)
        assert said.exists(), name
    container.forget("spark", tmp_path)
    assert not said.exists()

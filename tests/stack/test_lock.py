from __future__ import annotations

from pathlib import Path

import pytest

from mela.errors import StackFailed
from stack.lock import locked


def test_the_second_is_told_that_it_waits_and_gives_up_in_time(tmp_path: Path) -> None:
    told: list[str] = []
    with (
        locked(tmp_path / "lock", wait_s=1),
        pytest.raises(StackFailed, match="has held"),
        locked(tmp_path / "lock", wait_s=0.3, on_wait=lambda: told.append("waiting")),
    ):
        pass

    assert told == ["waiting"]


def test_a_lock_is_free_again_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "lock", wait_s=1):
        raise RuntimeError

    with locked(tmp_path / "lock", wait_s=0):
        pass

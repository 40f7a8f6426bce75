"""The page of the client: its first program needs no service."""

from __future__ import annotations

import re
from pathlib import Path

from client.client import Client
from client.results import SceneResult
from tests.client.page import BLOCKS, PAGE, run_block


def test_the_first_program_runs_without_a_service(tmp_path: Path) -> None:
    head, *lines = run_block(0, tmp_path).splitlines()
    assert head.split() == ["rank", "strategy.params.fast", "strategy.params.slow", "sharpe"]
    assert [line.split()[0] for line in lines[:6]] == ["1", "2", "3", "4", "5", "6"]
    assert any("would look this good by luck" in line for line in lines)
    assert (tmp_path / "best.png").read_bytes().startswith(b"\x89PNG")
    assert len(BLOCKS) == 2


def test_the_page_names_every_method() -> None:
    methods = [
        name
        for kind in (Client, SceneResult)
        for name in vars(kind)
        if not name.startswith("_") and name not in ("row", "first_rows", "with_frames", "close")
    ]
    told = [name for name in methods if not re.search(rf"[`.]{name}\b", PAGE)]
    assert told == []

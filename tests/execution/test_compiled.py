"""Compiled code is kept under the digest of all that it can rest on."""

from __future__ import annotations

import os
import re
from pathlib import Path

import grimp
import numba
import pytest

from execution.compiled import APART, keep_apart
from mela.settings import REPOSITORY

COMPILES = re.compile(r"^@(njit|kernel|rule)\b|= (njit|kernel|rule)\(", re.MULTILINE)


def test_nothing_compiled_rests_on_a_folder_that_its_digest_leaves_out() -> None:
    """Else an edit there would leave yesterday's code in a kernel."""
    graph = grimp.build_graph("mela", "execution", "backtests")
    files = {name: REPOSITORY / f"{name.replace('.', '/')}.py" for name in graph.modules}
    compiling = {
        name
        for name, file in files.items()
        if file.is_file() and COMPILES.search(file.read_text(encoding="utf-8"))
    }
    assert len(compiling) > 20
    rests_on = {
        upstream for name in compiling for upstream in (graph.find_upstream_modules(name))
    } | {name for name in compiling if files[name].parent.name != "strategies"}
    assert not {name for name in rests_on if files[name].parent.name in APART}


def test_who_may_not_write_beside_the_engine_keeps_compiled_code_among_their_caches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a container, whose strategies may not touch the home but for some folders of it."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    keep_apart()
    chosen = Path(numba.config.CACHE_DIR)  # pyright: ignore[reportAttributeAccessIssue]
    assert chosen.parent == tmp_path / "mela"
    assert re.fullmatch(r"numba-[0-9a-f]{16}", chosen.name)

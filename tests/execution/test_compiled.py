"""Compiled code is kept under the digest of all that it can rest on."""

from __future__ import annotations

import re

import grimp

from execution.compiled import APART
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

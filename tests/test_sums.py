"""Code that computes results does not use what differs between the versions of Python."""

from __future__ import annotations

import ast

import pytest

from mela.settings import REPOSITORY

ROOMS = ("mela", "execution", "backtests")
# Python 3.12 compensates rounding in `sum` of floats, 3.11 does not. Sums of whole numbers are the
# same: of lengths and of comparisons, and these.
WHOLE = {
    "sum(_count(found) for found in self._kept.values())",
    "sum(span.bars for span in self.spans)",
    "sum(len(scene.folds) - one.tested for one in by_instrument.values())",
    "sum(heights)",  # of a picture's rows
    "sum(len(marks.prices) for marks in self.entries)",
    "sum(metrics)",  # only asked whether it is finite
}


def counts(call: ast.Call) -> bool:
    """Return whether a call of `sum` adds lengths, or counts what is true."""
    (argument,) = call.args[:1]
    if not isinstance(argument, ast.GeneratorExp):
        return False
    added = argument.elt
    is_length = isinstance(added, ast.Call) and ast.unparse(added.func) == "len"
    return isinstance(added, ast.Compare | ast.BoolOp) or is_length


@pytest.mark.parametrize("room", ROOMS)
def test_no_result_is_summed_by_python(room: str) -> None:
    whole = {ast.unparse(ast.parse(one)) for one in WHOLE}
    found = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}: {ast.unparse(node)}"
        for path in sorted((REPOSITORY / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "sum"
        and not counts(node)
        and ast.unparse(node) not in whole
    ]
    assert not found, "add floats with NumPy, math.fsum, or one after the other"

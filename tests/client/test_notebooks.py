"""The notebooks are stored without output, and run from the first cell to the last."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.client.notebooks import LOCAL, NOTEBOOKS, SEARCH, execute, outputs


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda file: file.name)
def test_a_notebook_is_stored_without_output(file: Path) -> None:
    book = nbformat.read(file, 4)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


def test_the_search_runs_in_process(tmp_path: Path) -> None:
    book = nbformat.read(SEARCH, 4)
    assert sum(LOCAL in cell.source for cell in book.cells) == 1
    done = execute(book, tmp_path, {})
    said = "\n".join(outputs(done, "text/plain"))
    assert "(True, 40, 0, [])" in said
    assert "finished, 40 of 40 runs, best sharpe" in said
    assert "Of 40 tries the best would look this good by luck" in said
    assert "windows that it had not seen" in said
    assert len(outputs(done, "image/png")) == 1

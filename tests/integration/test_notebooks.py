"""The notebook on the platform: one line of it is another."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from mela.settings import Settings
from services.accounts.accounts import Role, Scope
from tests.client.api_clients import token_of
from tests.client.notebooks import LOCAL, SEARCH, execute, outputs

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_one_line_sends_the_notebook_to_the_platform(platform: Settings, tmp_path: Path) -> None:
    book = nbformat.read(SEARCH, 4)
    for cell in book.cells:
        cell.source = cell.source.replace(LOCAL, "client = Client()")
    token = token_of(platform, Role.TRADER, Scope.READ, Scope.WRITE)
    env = {"MELA_API__URL": platform.api.url, "MELA_API__TOKEN": token}
    done = execute(book, tmp_path, env)
    said = "\n".join(outputs(done, "text/plain"))
    assert "finished, 40 of 40 runs, best sharpe" in said
    assert "tries the best would look this good by luck" in said
    assert len(outputs(done, "image/png")) == 1

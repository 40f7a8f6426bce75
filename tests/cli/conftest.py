"""The warehouse of a test, where a command in this process finds it."""

from __future__ import annotations

import pytest

from mela.settings import Settings


@pytest.fixture
def settings(warehouse: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MELA_HOME", str(warehouse.home))
    monkeypatch.setenv("MELA_POSTGRES__DATABASE", warehouse.postgres.database)
    monkeypatch.setenv("COLUMNS", "200")
    return warehouse

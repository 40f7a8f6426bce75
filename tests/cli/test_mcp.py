"""`mela mcp` before it serves: whose rights it has, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.backtested import mela


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MELA_HOME", str(tmp_path))
    monkeypatch.delenv("MELA_API__TOKEN", raising=False)


def test_without_a_token_it_says_where_one_is_made() -> None:
    done = mela("mcp")
    assert done.exit_code == 2
    assert "no token was given: make one on the page Account" in done.output


def test_a_token_is_not_sent_in_the_clear(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mela_x\n")
    done = mela("mcp", "--url", "http://mela.example", "--token-file", tmp_path / "token")
    assert done.exit_code == 1
    assert "a token must not travel in the clear" in done.output


def test_a_token_is_never_an_argument() -> None:
    done = mela("mcp", "--token", "mela_x")
    assert done.exit_code == 2
    assert "No such option" in done.output

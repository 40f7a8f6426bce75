"""What long-lived processes know of strategies, and what they say when that changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from backtests.strategies import refresh
from mela.settings import Settings
from streaming import strategies

IDEA = '''
import numpy as np

from backtests.signals import Signals
from backtests.strategy import strategy
from mela.run import Part


@strategy(Part, warmup=lambda params: 3)
def idea(candles, params, indicators):
    """Enter on one candle."""
    bars = np.arange(len(candles))
    return Signals(bars == 1, bars == 2)
'''


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A home in which a package of strategies is installed."""
    settings = Settings(home=tmp_path)
    metadata = settings.packages / "mine-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\n")
    (metadata / "entry_points.txt").write_text("[mela.strategies]\nidea = my_idea\n")
    with monkeypatch.context() as patched:
        patched.setattr("sys.path", [*sys.path])
        yield settings
    refresh()


def test_packages_of_a_home_are_loaded_and_each_change_is_logged_once(settings: Settings) -> None:
    structlog.reset_defaults()  # the command line, where a test ran it, keeps quiet
    strategies.current(Settings(home=settings.home / "elsewhere"))
    file = settings.packages / "my_idea.py"
    with capture_logs() as logged:
        file.write_text(IDEA)
        assert "idea" in strategies.current(settings)
        strategies.current(settings)
    told = [one for one in logged if one["event"].startswith("strateg")]
    assert [(one["event"], one.get("changed")) for one in told] == [
        ("strategies_loaded", ["composite", "idea"])
    ]

    with capture_logs() as logged:
        file.write_text("def")
        assert "idea" not in strategies.current(settings)
        strategies.current(settings)
    told = [one for one in logged if one["event"].startswith("strateg")]
    assert [one["event"] for one in told] == ["strategies_loaded", "strategy_broken"]
    assert told[0]["removed"] == ["idea"]
    assert "SyntaxError" in told[1]["why"]

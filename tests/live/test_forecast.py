"""A session whose strategy asks a model trades as a backtest does, and goes on from a snapshot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from forecasts.artifact import Model
from forecasts.strategy import strategies_of
from live.engine import Engine
from live.events import encode
from mela.session import parse_session
from tests.forecasts.test_registry import trained
from tests.live import random_sessions
from tests.live.random_sessions import (
    NAMES,
    Drawn,
    backtested,
    found,
    messages,
    played,
    started,
    with_candles,
)


class Counted(Model):
    """A model that counts the samples that it is asked about."""

    samples = 0

    def ask(self, x: Any, places: Any) -> Any:
        type(self).samples += len(x)
        return super().ask(x, places)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """A session of hours, some of them missing, that a model of two returns trades."""
    made = trained(end="2023-04-01")
    known = {**random_sessions.WITH_OWN, **strategies_of(Counted(made.content, made.sha))}
    monkeypatch.setattr(random_sessions, "WITH_OWN", known)
    document = {
        "name": "a model",
        "instruments": list(NAMES[:2]),
        "interval": "1h",
        "strategy": {"name": "forecast", "params": {"enter": 0.001, "leave": -0.001}},
    }
    return with_candles(np.random.default_rng(8), parse_session(document), bars=90)


def test_it_trades_as_in_a_backtest(session: Drawn) -> None:
    expected = list(backtested(session))
    whole = Counted.samples

    assert found(session, played(session)[1]) == expected
    assert sum(len(trades) for trades, _ in expected) > 5
    # each candle once, though a session asks on all of its candles when one has come
    assert whole // 2 < Counted.samples - whole <= whole


def test_it_goes_on_from_a_snapshot_with_the_same_decisions(session: Drawn) -> None:
    known = random_sessions.WITH_OWN
    first, second = Engine(known), Engine(known)
    log = [started(session), *messages(session)]
    for number, event in enumerate(log):
        told = [encode(one) for one in first.apply(event)]
        if number and number % 40 == 0:
            second = Engine.restore(second.snapshot(), known)
        assert [encode(one) for one in second.apply(event)] == told
    assert second.digest() == first.digest()

"""What a session may ask, and the scene that asks the same."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mela.errors import SceneInvalid
from mela.scene import StrategyChoice
from mela.session import parse_session

ASKED = {
    "name": "one",
    "instruments": ["alpaca:BTC/USD", "alpaca:ETH/USD"],
    "interval": "1m",
    "strategy": {"name": "sma_cross", "params": {"fast": 3}},
    "cash": 500.0,
}
SPAN = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)


def test_a_session_comes_back_from_its_content() -> None:
    for more in (
        {},
        {"broker": {"kind": "alpaca"}},
        {"broker": {"kind": "paper", "fills": "hard", "spread": 0.01}},
        {"mode": "together", "portfolio": {"weights": {"kind": "inverse_volatility"}}},
    ):
        session = parse_session({**ASKED, **more})
        assert parse_session(session.content()) == session


def test_its_scene_asks_the_same_of_candles_that_are_there() -> None:
    scene = parse_session(ASKED).scene(*SPAN)

    assert (scene.cash, scene.strategy.params, scene.mode) == (500.0, {"fast": 3}, "each")
    assert (scene.start, scene.end) == SPAN


def test_the_scene_of_one_account_holds_an_instrument_whose_candles_end() -> None:
    session = parse_session({**ASKED, "mode": "together"})

    assert session.scene(*SPAN).portfolio.delisted == "hold"


def test_the_strategy_of_a_champion_must_be_looked_up_first() -> None:
    asked = {name: value for name, value in ASKED.items() if name != "strategy"}
    session = parse_session({**asked, "champion_of": "0192f0c1-2222-7333-8444-555555555555"})

    with pytest.raises(ValueError, match="look that up first"):
        session.scene(*SPAN)
    named = session.with_strategy(StrategyChoice(name="ema_cross"))
    assert named.scene(*SPAN).strategy.name == "ema_cross"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"money": "live"}, "needs a broker of kind alpaca"),
        ({"champion_of": "0192f0c1-2222-7333-8444-555555555555"}, "one of the two"),
        ({"broker": {"kind": "paper", "spread": 0.01}}, "spread needs fills: hard"),
        ({"mode": "together", "broker": {"kind": "alpaca"}}, "on paper with plain fills"),
        ({"engine": "backtrader"}, "engine mela"),
        ({"portfolio": {}}, "needs mode together"),
        ({"instruments": ["AAPL"]}, "venue:symbol"),
        ({"broker": {"kind": "alpaca"}, "entry": {"kind": "stop", "offset": 0.01}}, "kind stop"),
    ],
)
def test_what_cannot_be_traded_is_refused_with_the_reason(more, sentence) -> None:
    with pytest.raises(SceneInvalid, match=sentence):
        parse_session({**ASKED, **more})

"""A loop that is busy with deciding is told of before candles wait."""

from __future__ import annotations

from live.engine import Engine
from live.pace import BUSY, LOOK_S, Pace, busy_words
from tests.live.test_engine import one_session, played


def test_a_minute_that_decisions_filled_by_half_is_too_much_and_counts_for_itself() -> None:
    pace = Pace(100.0)

    assert pace.share(40.0, 100.0 + LOOK_S / 2) is None  # not a minute yet
    assert pace.share(LOOK_S * BUSY, 100.0 + LOOK_S) == BUSY
    assert pace.share(LOOK_S * BUSY + 1.0, 100.0 + 2 * LOOK_S) is None
    assert pace.share(LOOK_S * BUSY + 1.0 + LOOK_S, 100.0 + 3 * LOOK_S) == 1.0


def test_it_names_the_session_that_knows_the_most_candles() -> None:
    engine, _ = played(one_session(40))
    known = max(len(one) for one in engine.accounts[0].own.values())

    words = busy_words(0.61, [("young", Engine()), ("old", engine)])

    assert words.startswith("Decisions took 61% of the last minute")
    assert f"old knows the most, {known} in one series" in words
    assert "knows" not in busy_words(0.61, [])

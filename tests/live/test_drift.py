"""A session with plain fills does exactly what its backtest does; what differs is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest

import live.lived
from live.drift import compare, compare_day
from live.engine import Engine
from live.events import (
    INPUTS,
    CandleAbsent,
    CandleClosed,
    Commanded,
    Event,
    StateChanged,
    Traded,
    kind_of,
)
from mela.candles import Candles
from mela.instants import from_ms
from mela.settings import Settings
from sources.instruments import describe
from sources.protocol import FetchedCandles
from tests.live.random_sessions import WITH_OWN, Drawn, drawn, messages, started
from tests.live.stored import a_session, log
from tests.warehouse.given import load, rows
from warehouse.trading.drift import StoredDrift

pytestmark = pytest.mark.integration
LINES = "SELECT kind, what, cause, why, ours, backtest FROM ops.session_drift_line ORDER BY line"


def lived(given: Drawn, inputs: Sequence[Any]) -> list[Event]:
    """Return the log of a session that hears these."""
    engine = Engine(WITH_OWN)
    found: list[Event] = []
    for event in (started(given), *inputs):
        found += [event, *engine.apply(event)]
    return found


def is_input(event: Event) -> bool:
    return kind_of(event) in INPUTS


def stored(settings: Settings, given: Drawn, events: Sequence[Event]) -> UUID:
    session_id = a_session(settings, given.session.content())
    log(settings, session_id, events)
    return session_id


def decided(settings: Settings, session_id: UUID, day: date | None = None) -> StoredDrift:
    return compare(settings, session_id, day, WITH_OWN)[0]


@pytest.mark.parametrize("seed", range(12))
def test_plain_fills_do_not_drift_by_a_single_bit(warehouse: Settings, seed: int) -> None:
    given = drawn(np.random.default_rng(seed))
    events = lived(given, messages(given))
    found = decided(warehouse, stored(warehouse, given, events))
    assert (found.missed, found.extra, found.differing) == (0, 0, 0)
    assert found.drift == 0.0
    assert found.equity == found.equity_backtest
    assert found.state == "ok", found.why
    assert found.trades == found.trades_backtest == sum(isinstance(e, Traded) for e in events)
    assert rows(warehouse, LINES) == []
    assert rows(warehouse, "SELECT * FROM ops.alert_outbox WHERE key LIKE 'drift:%'") == []


def busy() -> Drawn:
    """A session of one instrument that trades often."""
    rng = np.random.default_rng(5)
    more = {"instruments": ["binance:BTCUSDT"], "mode": "each", "portfolio": None}
    more |= {"exits": {}, "entry": {"kind": "market"}, "sizing": {}, "direction": "long"}
    more |= {"interval": "1h", "costs": {}, "cash": 10_000.0}
    return drawn(rng, "sides", **more)


def test_what_a_pause_left_out_is_missed_because_of_it(warehouse: Settings) -> None:
    given = busy()
    heard = messages(given)
    middle = len(heard) // 2
    at = heard[middle].received_ms if isinstance(heard[middle], CandleClosed) else 0
    inputs = [*heard[:middle], Commanded("pause", "ann", at), *heard[middle:]]
    found = decided(warehouse, stored(warehouse, given, lived(given, inputs)))
    assert found.missed > 0
    assert found.trades < found.trades_backtest
    lines = rows(warehouse, LINES)
    missed = [line for line in lines if line.kind == "missed"]
    assert len(missed) == found.missed
    assert {line.cause for line in missed} == {"halted"}
    assert "paused" in missed[0].why
    if found.state == "beyond":
        [[key]] = rows(warehouse, "SELECT key FROM ops.alert_outbox WHERE key LIKE 'drift:%'")
        assert str(found.session_id) in key


def test_a_price_that_was_tampered_with_is_an_unexplained_difference(warehouse: Settings) -> None:
    """The log says one thing and the engine another: that must not pass for a small difference."""
    given = busy()
    events = lived(given, messages(given))
    place = next(at for at, one in enumerate(events) if isinstance(one, Traded))
    traded = events[place]
    assert isinstance(traded, Traded)
    events[place] = replace(traded, exit_price=np.nextafter(traded.exit_price, np.inf))
    found = decided(warehouse, stored(warehouse, given, events))
    assert found.differing == 1
    assert found.state == "beyond"
    [line] = rows(warehouse, LINES)
    assert (line.kind, line.what, line.cause) == ("price", "exit price", "unknown")
    assert line.ours != line.backtest
    assert rows(warehouse, "SELECT level FROM ops.alert_outbox") == [("warning",)]


def test_trades_of_nobody_are_extra(warehouse: Settings) -> None:
    given = busy()
    events = lived(given, messages(given))
    traded = next(one for one in events if isinstance(one, Traded))
    other = replace(traded, entry_ms=traded.entry_ms - 50 * 3_600_000)
    found = decided(warehouse, stored(warehouse, given, [*events, other]))
    assert (found.missed, found.extra, found.differing) == (0, 1, 0)


def test_a_day_ends_where_it_ends_and_a_second_comparison_replaces_the_first(
    warehouse: Settings,
) -> None:
    given = busy()
    session_id = stored(warehouse, given, lived(given, messages(given)))
    day = from_ms(given.first_open_ms).date() + timedelta(days=1)
    for _ in range(2):
        found = decided(warehouse, session_id, day)
    assert found.on_day == day
    assert found.end_at.date() == day + timedelta(days=1)
    assert (found.missed, found.extra, found.differing, found.drift) == (0, 0, 0, 0.0)
    whole = decided(warehouse, session_id)
    assert whole.trades > found.trades > 0
    days = rows(
        warehouse, "SELECT on_day FROM ops.session_drift WHERE candles = 'decided' ORDER BY 1"
    )
    assert [row.on_day for row in days] == [day, whole.on_day]


@pytest.mark.parametrize("goes_on", ["before its candles are read", "after"])
def test_a_session_that_goes_on_while_it_is_compared_does_not_differ(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch, goes_on: str
) -> None:
    given = busy()
    events = lived(given, messages(given))
    middle = next(at for at in range(len(events) // 2, len(events)) if is_input(events[at]))
    session_id = stored(warehouse, given, events[:middle])
    restored = live.lived._restored

    def restored_late(*asked: Any) -> Any:
        if goes_on == "after":
            found = restored(*asked)
        log(warehouse, session_id, events[middle:])
        return found if goes_on == "after" else restored(*asked)

    monkeypatch.setattr(live.lived, "_restored", restored_late)
    found = decided(warehouse, session_id)
    assert found.trades > 0
    assert (found.state, found.missed, found.extra, found.drift) == ("ok", 0, 0, 0.0)
    monkeypatch.undo()
    assert decided(warehouse, session_id).trades > found.trades


def test_a_session_without_candles_is_not_compared(warehouse: Settings) -> None:
    given = busy()
    session_id = stored(warehouse, given, lived(given, []))
    assert compare(warehouse, session_id, None, WITH_OWN) == []
    assert compare(warehouse, a_session(warehouse), None, WITH_OWN) == []


def test_what_the_warehouse_lacks_is_said(warehouse: Settings) -> None:
    given = busy()
    session_id = stored(warehouse, given, lived(given, messages(given)))
    _, of_stored = compare(warehouse, session_id, None, WITH_OWN)
    assert of_stored.state == "failed"
    assert "binance:BTCUSDT" in (of_stored.why or "")


def test_the_sessions_of_a_day_are_found(warehouse: Settings) -> None:
    session_id = a_session(warehouse)
    [[today]] = rows(warehouse, "SELECT (now() AT TIME ZONE 'UTC')::date")
    assert compare_day(warehouse, today) == []  # it has seen no candle
    assert compare_day(warehouse, today - timedelta(days=3)) == []
    assert session_id


def test_an_absent_candle_is_absent_for_both(warehouse: Settings) -> None:
    given = busy()
    heard = messages(given)
    gone = heard[20]
    assert isinstance(gone, CandleClosed)
    absent = CandleAbsent(gone.interval, gone.opened_ms, (gone.instrument,), gone.received_ms)
    late = replace(gone, received_ms=gone.received_ms + 7_200_000)
    inputs = [*heard[:20], absent, *heard[21:24], late, *heard[24:]]
    events = lived(given, inputs)
    found = decided(warehouse, stored(warehouse, given, events))
    assert (found.missed, found.extra, found.differing, found.drift) == (0, 0, 0, 0.0)
    assert any(isinstance(one, StateChanged) for one in events)


def test_candles_that_were_restated_since_are_named(warehouse: Settings) -> None:
    """The warehouse's candles are compared too: what a vendor corrected later has its own name."""
    given = busy()
    key = "binance:BTCUSDT", given.session.interval
    candles = given.series[key]
    events = lived(given, messages(given))
    session_id = stored(warehouse, given, events)
    traded = [one for one in events if isinstance(one, Traded)][2]
    changed = int(np.searchsorted(candles.opened_ms, traded.entry_ms))
    opens = candles.open.copy()
    opens[changed] = candles.low[changed]
    assert opens[changed] < candles.open[changed]
    load_candles(warehouse, replace(candles, open=opens))
    of_decided, of_stored = compare(warehouse, session_id, None, WITH_OWN)
    assert of_decided.drift == 0.0
    assert of_stored.drift != 0.0
    lines = rows(warehouse, LINES.replace("ORDER BY", "WHERE candles = 'stored' ORDER BY"))
    first = lines[0]
    assert (first.kind, first.what, first.cause) == ("price", "entry price", "restated_candle")
    assert f"{from_ms(traded.entry_ms):%Y-%m-%dT%H}" in first.why
    assert {line.cause for line in lines} == {"restated_candle"}


def test_the_same_candles_in_the_warehouse_give_the_same_trades(warehouse: Settings) -> None:
    given = busy()
    session_id = stored(warehouse, given, lived(given, messages(given)))
    load_candles(warehouse, given.series["binance:BTCUSDT", given.session.interval])
    both = compare(warehouse, session_id, None, WITH_OWN)
    assert [(one.candles, one.drift, one.state) for one in both] == [
        ("decided", 0.0, "ok"),
        ("stored", 0.0, "ok"),
    ]


def load_candles(settings: Settings, candles: Candles) -> None:
    fetched = FetchedCandles(
        instrument=replace(describe("binance:BTCUSDT"), origins={}),
        interval=candles.interval,
        opened_ms=candles.opened_ms,
        closed_ms=candles.interval.ends_ms(candles.opened_ms),
        open=candles.open,
        high=candles.high,
        low=candles.low,
        close=candles.close,
        volume=candles.volume,
        session_on=None,
        actions=(),
        rejected=(),
        request={},
        origin="replay",
        source="test",
    )
    load(settings, fetched, from_ms(int(candles.opened_ms[0])))

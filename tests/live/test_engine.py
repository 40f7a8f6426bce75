"""The laws of the engine: a backtest's numbers, any order of messages, one state from one log."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live import keeping
from live.engine import Engine
from live.events import (
    Alerted,
    CandleClosed,
    Commanded,
    FillBooked,
    Intended,
    StateChanged,
    Ticked,
    Valued,
    Wanted,
    decode,
    encode,
    kind_of,
)
from mela.candles import Candles
from mela.session import parse_session
from tests.live.random_sessions import (
    NAMES,
    WITH_OWN,
    Drawn,
    Key,
    backtested,
    drawn,
    found,
    messages,
    played,
    started,
    with_candles,
)

SEED = int(os.environ.get("MELA_TEST_SEED", "0")) or int.from_bytes(os.urandom(4), "big")
# A busy machine is slow, and that is no fault of a law.
law = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 2**32 - 1)


def hold_broker(given_: Drawn, rng: np.random.Generator) -> Drawn:
    """Return a drawn session of mode each with our paper broker's hard fills."""
    document = given_.session.content()
    document["broker"] = {
        "kind": "paper",
        "fills": "hard",
        "spread": 0.001,
        "latency_s": float(rng.choice([0.0, 5.0, 4_000.0])),
        "volume_share": float(rng.choice([0.001, 0.05, 1.0])),
        "reject_chance": 0.1,
        "seed": int(rng.integers(100)),
    }
    return Drawn(parse_session(document), given_.series, given_.first_open_ms, given_.end_ms)


def any_session(seed: int) -> Drawn:
    """Return a drawn session, some of them with hard fills."""
    rng = np.random.default_rng(seed)
    given_ = drawn(rng)
    is_hard = given_.session.mode == "each" and rng.random() < 0.5
    return hold_broker(given_, rng) if is_hard else given_


@pytest.mark.parametrize("number", range(20))
def test_plain_paper_gives_the_trades_and_the_equity_of_a_backtest(number: int) -> None:
    seed = SEED + number
    print(f"seed {seed}")  # noqa: T201  said where it fails
    given_ = drawn(np.random.default_rng(seed))

    _, told = played(given_)

    assert not [event for event in told if isinstance(event, Alerted)]
    assert found(given_, told) == list(backtested(given_)), f"seed {seed}"


@pytest.mark.parametrize("strategy", sorted(WITH_OWN))
def test_every_strategy_trades_as_in_a_backtest(strategy: str) -> None:
    given_ = drawn(np.random.default_rng(len(strategy)), strategy)

    assert found(given_, played(given_)[1]) == list(backtested(given_))


@pytest.mark.parametrize("mode", ["each", "together"])
def test_a_series_whose_volumes_begin_later_fills_as_in_a_backtest(mode: str) -> None:
    """Before the first volume nobody knows that there will be any: candles fill all the same."""
    portfolio = {} if mode == "together" else None
    fields = {"mode": mode, "portfolio": portfolio, "sizing": {}, "exits": {}, "costs": {}}
    market = {"kind": "market"} if mode == "each" else None
    more = fields | {"entry": market, "direction": "long", "interval": "1h", "risk": None}
    names = ["binance:BTCUSDT", "binance:ETHUSDT"]
    document = {key: one for key, one in more.items() if one is not None}
    session = parse_session(
        {"name": "late", "instruments": names, "strategy": {"name": "sides"}, **document}
    )
    given_ = with_candles(np.random.default_rng(11), session, bars=120)
    late: dict[Key, Candles] = {}
    for key, candles in given_.series.items():
        begins = int(np.searchsorted(candles.opened_ms, given_.first_open_ms)) + 60
        volume = np.where(np.arange(len(candles)) < begins, 0.0, 10.0)
        volume[begins + 5 :: 7] = 0.0
        late[key] = replace(candles, volume=volume)
    given_ = replace(given_, series=late)

    _, told = played(given_)

    ours = found(given_, told)
    first = given_.first_open_ms + 30 * 3_600_000
    assert any(trade[1] < first for trades, _ in ours for trade in trades), "early ones count"
    assert ours == list(backtested(given_))


def disturbed(given_: Drawn, rng: np.random.Generator) -> list:
    """Return the messages in another order, some of them twice or three times, with ticks."""
    events = messages(given_)
    events += [event for event in events if rng.random() < 0.2]
    reach = float(rng.choice([2.0, 30.0, 1e9]))
    about = np.arange(len(events)) % len(messages(given_))
    places = np.argsort(about + reach * rng.random(len(events)))
    return [events[place] for place in places]


@law
@given(seed=SEEDS)
def test_any_order_of_doubled_and_late_messages_ends_in_the_same_state(seed: int) -> None:
    given_ = any_session(seed)
    engine, told = played(given_)

    other, said = played(given_, disturbed(given_, np.random.default_rng(seed)))

    assert other.digest() == engine.digest()
    assert found(given_, said) == found(given_, told)


@law
@given(seed=SEEDS)
def test_the_log_gives_the_same_state_and_events_with_and_without_snapshots(
    seed: int,
) -> None:
    given_ = any_session(seed)
    rng = np.random.default_rng(seed)
    log = [started(given_), *disturbed(given_, rng)]
    first, second = Engine(WITH_OWN), Engine(WITH_OWN)
    parts: dict[str, bytes] = {}
    for event in log:
        read = decode(kind_of(event), encode(event))
        told = [encode(one) for one in first.apply(event)]
        if rng.random() < 0.1 and event is not log[0]:
            second = Engine.restore(second.snapshot(), WITH_OWN)
            parts.clear()
        elif rng.random() < 0.1 and event is not log[0]:
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(keeping, "PART", 5)
                kept = second.keep()
                assert not parts.keys() & kept.parts.keys()
                parts |= kept.parts
                second = Engine.restore(kept.state, WITH_OWN, parts)
        assert [encode(one) for one in second.apply(read)] == told

    assert second.digest() == first.digest()
    assert Engine.restore(first.snapshot(), WITH_OWN).snapshot() == first.snapshot()


@law
@given(seed=SEEDS)
def test_accounts_with_hard_fills_add_up_after_each_event(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given_ = hold_broker(drawn(rng, "levels"), rng)

    _, told = played(given_)

    assert not [one for one in told if isinstance(one, Alerted) and one.level == "critical"]
    held = dict.fromkeys(given_.session.instruments, 0.0)
    for event in told:
        if isinstance(event, FillBooked):
            held[event.instrument] += event.units if event.side == "buy" else -event.units
        if isinstance(event, Valued):
            for one in event.positions:
                assert one.units == pytest.approx(held[one.instrument], rel=1e-9)


def one_session(bars: int = 30, **more) -> Drawn:
    """Return a session of one instrument that is always in, on minutes without holes."""
    rng = np.random.default_rng(3)
    document = {
        "name": "held", "instruments": [NAMES[0]], "interval": "1m",
        "strategy": {"name": "buy_and_hold"}, **more,
    }  # fmt: skip
    return with_candles(rng, parse_session(document), bars=bars)


def commanded(given_: Drawn, at: dict[int, str]) -> list:
    """Play a session, and give commands before some of its candles; return what is told."""
    engine = Engine(WITH_OWN)
    told = engine.apply(started(given_))
    for number, message in enumerate(messages(given_)):
        if number in at:
            told += engine.apply(Commanded(at[number], "a test", message.opened_ms))
        told += engine.apply(message)
    return told


def held_after(told: list) -> list[bool]:
    return [bool(event.positions) for event in told if isinstance(event, Valued)]


def test_a_paused_session_enters_nothing_and_goes_on_when_resumed() -> None:
    given_ = one_session()
    bars = len(held_after(played(given_)[1]))

    paused = commanded(given_, {0: "pause"})
    resumed = commanded(given_, {0: "pause", 10: "resume"})

    assert held_after(paused) == [False] * bars
    assert any(held_after(resumed)[11:])
    assert not any(held_after(resumed)[:10])


def test_flatten_closes_what_is_held_at_the_next_open() -> None:
    told = commanded(one_session(), {9: "pause", 10: "flatten"})

    held = held_after(told)
    assert held[8]
    assert not held[-1]


def test_a_halted_session_orders_nothing_until_it_is_released() -> None:
    told = commanded(one_session(exits={"stop_loss": 0.001}), {5: "halt", 20: "release"})

    states = [one.state for one in told if isinstance(one, StateChanged) and one.what == "risk"]
    ids = [
        one.order.candle_ms
        for one in told
        if isinstance(one, Intended) and one.order.leg == "enter"
    ]
    halted = [event.opened_ms for event in told if isinstance(event, Valued)][5:19]
    assert states == ["halted", "active"]
    assert not set(halted) & set(ids)


def test_a_stopped_session_takes_no_further_candle() -> None:
    told = commanded(one_session(), {5: "stop"})

    assert len(held_after(told)) == 5
    assert [one.state for one in told if isinstance(one, StateChanged)] == [
        "running", "stopping", "stopped",
    ]  # fmt: skip


def test_a_gap_is_asked_for_and_what_is_behind_it_waits() -> None:
    given_ = one_session()
    engine = Engine(WITH_OWN)
    engine.apply(started(given_))
    first, second, third = [one for one in messages(given_) if isinstance(one, CandleClosed)][:3]

    told = engine.apply(first)
    assert any(isinstance(one, Valued) for one in told)
    told = engine.apply(third)
    assert told == [Wanted(*_key(second), second.opened_ms, third.opened_ms)]
    told = engine.apply(second)
    assert [one.opened_ms for one in told if isinstance(one, Valued)] == [
        second.opened_ms, third.opened_ms,
    ]  # fmt: skip


def _key(candle: CandleClosed):
    return candle.instrument, candle.interval


def test_a_candle_that_is_overdue_is_asked_for() -> None:
    given_ = one_session()
    engine = Engine(WITH_OWN)
    engine.apply(started(given_))
    due = given_.first_open_ms + 60_000

    assert engine.apply(Ticked(due + 1_000)) == []
    (wanted,) = engine.apply(Ticked(due + 6_000))

    assert (wanted.from_ms, wanted.to_ms) == (given_.first_open_ms, given_.first_open_ms + 1)
    assert engine.apply(Ticked(due + 7_000)) == []  # asked already


def test_a_candle_that_cannot_be_is_told_and_not_taken() -> None:
    given_ = one_session()
    engine = Engine(WITH_OWN)
    engine.apply(started(given_))
    first = messages(given_)[0]
    before = engine.digest()

    (told,) = engine.apply(
        CandleClosed(*_key(first), first.opened_ms, 1.0, 0.5, 2.0, 1.0, 1.0, first.received_ms)
    )

    assert told.level == "error"
    assert engine.digest() == before


def test_a_restated_candle_changes_nothing_and_is_told() -> None:
    given_ = one_session()
    engine, _ = played(given_)
    last = [one for one in messages(given_) if isinstance(one, CandleClosed)][-1]
    before = engine.digest()
    values = (last.open, last.high * 2, last.low, last.close, last.volume)

    (told,) = engine.apply(CandleClosed(*_key(last), last.opened_ms, *values, last.received_ms))

    assert told.key.startswith("restated:")
    assert engine.digest() == before


def test_a_strategy_that_fails_decides_nothing_and_is_told() -> None:
    from dataclasses import replace

    def fails(*_given):
        raise ZeroDivisionError("so it goes")

    broken = {**WITH_OWN, "levels": replace(WITH_OWN["levels"], signals=fails)}
    rng = np.random.default_rng(4)
    given_ = drawn(rng, "levels")
    engine = Engine(broken)
    told = engine.apply(started(given_))
    for message in messages(given_):
        told += engine.apply(message)

    assert {one.key.partition(":")[0] for one in told if isinstance(one, Alerted)} == {"strategy"}
    assert not [one for one in told if isinstance(one, Intended)]
    assert [one for one in told if isinstance(one, Valued)]


def test_a_log_that_does_not_begin_with_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with Started"):
        Engine().apply(Ticked(0))


def test_what_keeping_a_state_costs_does_not_grow_with_its_candles() -> None:
    given_ = one_session(3 * keeping.PART)
    engine, sizes, many = Engine(WITH_OWN), list[int](), list[int]()
    for number, event in enumerate([started(given_), *messages(given_)]):
        engine.apply(event)
        if number % keeping.PART == 0:
            kept = engine.keep()
            sizes.append(len(kept.state))
            many.append(sum(not name.endswith(" before") for name in kept.parts))

    assert many == [0, 1, 1, 1]
    assert sizes[-1] < sizes[1] + 100

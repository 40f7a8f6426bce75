"""The gate: no order passes that a limit forbids, and what is not known refuses."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.gate import Ask, View, judge
from execution.gate_state import GateState, Mode
from execution.room import most_units, recent_volatility, recent_volume
from mela.interval import DAY_MS
from mela.risk_limits import RiskLimits

law = settings(max_examples=500, deadline=None)
NAN = math.nan
ODD = st.sampled_from([NAN, math.inf, -math.inf, 0.0, -0.0, -3.0, 1e-320, 1e308])
SOLE = "a:X"
RULES: dict[str, st.SearchStrategy] = {
    "max_order_units": st.floats(1.0, 30.0),
    "max_order_notional": st.floats(10.0, 3_000.0),
    "min_order_notional": st.floats(10.0, 3_000.0),
    "price_collar": st.floats(0.01, 0.9),
    "lot_and_tick": st.just(True),
    "max_position_notional": st.floats(10.0, 3_000.0),
    "max_position_share": st.floats(0.01, 3.0),
    "max_gross": st.floats(10.0, 5_000.0),
    "max_net": st.floats(10.0, 5_000.0),
    "max_leverage": st.floats(0.1, 5.0),
    "buying_power": st.just(True),
    "short_availability": st.just(True),
    "max_open_orders": st.integers(1, 4),
    "max_orders_per_minute": st.integers(1, 4),
    "session_hours": st.just("refuse"),
    "max_data_age_s": st.floats(0.1, 120.0),
    "max_volume_share": st.floats(0.01, 1.0),
    "target_volatility": st.floats(0.005, 0.1),
    "max_daily_loss": st.floats(0.01, 0.5),
    "max_drawdown": st.floats(0.01, 0.5),
    "max_losses_in_a_row": st.integers(1, 4),
    "cooldown_s": st.floats(0.1, 120.0),
}
SEEN: dict[str, st.SearchStrategy] = {
    "at_ms": st.floats(100_000.0, 200_000.0),
    "price_ms": st.floats(90_000.0, 200_000.0),
    "price": st.floats(10.0, 200.0),
    "position": st.one_of(st.just(0.0), st.floats(-20.0, 20.0)),
    "waiting": st.one_of(st.just(0.0), st.floats(-5.0, 5.0)),
    "gross": st.floats(0.0, 4_000.0),
    "net": st.floats(-3_000.0, 3_000.0),
    "open_orders": st.sampled_from([0.0, 1.0, 3.0]),
    "buying_power": st.floats(0.0, 3_000.0),
    "shortable": st.floats(0.0, 30.0),
    "is_open": st.sampled_from([1.0, 1.0, 0.0]),
    "volume": st.floats(0.0, 200.0),
    "volatility": st.floats(0.0, 0.2),
    "lot": st.sampled_from([0.001, 0.5, 1.0]),
    "tick": st.sampled_from([0.01, 0.5]),
}


@st.composite
def limits(draw) -> RiskLimits:
    """Draw some limits; few at a time, so that orders pass as well."""
    names = draw(st.sets(st.sampled_from(sorted(RULES)), max_size=4))
    if "max_order_notional" in names:
        names.discard("min_order_notional")  # which may not be above it
    return RiskLimits(**{name: draw(RULES[name]) for name in sorted(names)})


@st.composite
def states(draw) -> GateState:
    """Draw what a gate remembers, of which something may be no number."""
    causes = [{"paused": math.inf}, {"halted": math.inf}, {"max_drawdown": 5.0, "halted": math.inf}]
    money = st.floats(100.0, 2_000.0)
    made = GateState(
        causes=draw(st.sampled_from([{}] * 9 + causes)),
        equity=draw(money),
        day_equity=draw(money),
        peak=draw(money),
        losses=draw(st.integers(0, 5)),
        ordered_ms=tuple(draw(st.lists(st.floats(0.0, 200_000.0), max_size=5))),
        left_ms=draw(st.sampled_from([{}, {SOLE: 120_000.0}])),
    )
    odd = draw(st.sampled_from([None] * 6 + ["equity", "day_equity", "peak", "ordered", "left"]))
    if odd == "ordered":
        return dataclasses.replace(made, ordered_ms=(NAN,))
    if odd == "left":
        return dataclasses.replace(made, left_ms={SOLE: NAN})
    return dataclasses.replace(made, **{odd: draw(ODD)}) if odd else made


@st.composite
def views(draw) -> View:
    """Draw what a gate sees: money, prices and counts, some of them no numbers at all."""
    seen = {name: draw(values) for name, values in SEEN.items()}
    for name in draw(st.sets(st.sampled_from(sorted(SEEN)), max_size=2)):
        if draw(st.booleans()):
            seen[name] = draw(ODD)
    return View(state=draw(states()), **seen)


SIDES = st.sampled_from([1.0] * 6 + [-1.0] * 6 + [0.0, NAN])
UNITS = st.one_of(st.floats(0.1, 20.0), st.floats(0.1, 20.0), ODD)
LEVELS = st.one_of(st.just(NAN), st.floats(10.0, 200.0), ODD)
ASKS = st.builds(Ask, st.just(SOLE), SIDES, UNITS, LEVELS, st.sampled_from([False] * 9 + [True]))


def within(value: float, limit: float) -> bool:
    """Tell whether a value keeps a limit, as the law reads it: only what is a number does."""
    return math.isfinite(value) and value <= limit + 1e-8 * max(abs(limit), 1e-300)


def is_money(value: float) -> bool:
    return 0.0 < value < math.inf


def lost(state: GateState, since: float, most: float) -> bool:
    known = is_money(since) and math.isfinite(state.equity)
    return not known or state.equity <= since * (1.0 - most)


def forbidden(rules: RiskLimits, view: View, ask: Ask, units: float) -> set[str]:
    """Return the limits that an order would break, written from docs/risk.md, not from the gate."""
    price = view.price if math.isnan(ask.price) else ask.price
    held, worth = view.position + view.waiting, units * price
    after, state = held + ask.side * units, view.state
    gross = view.gross + (abs(after) - abs(held)) * price
    shorted = max(-after, 0.0) - max(-held, 0.0)
    recent = [ms for ms in state.ordered_ms if not ms <= view.at_ms - 60_000]
    age_s = (view.at_ms - view.price_ms) / 1_000
    left_s = (view.at_ms - state.left_ms.get(SOLE, -math.inf)) / 1_000
    keeps = {
        "max_order_units": lambda most: within(units, most),
        "max_order_notional": lambda most: within(worth, most),
        "min_order_notional": lambda least: worth >= least * (1.0 - 1e-8),
        "price_collar": lambda most: within(abs(price / view.price - 1.0), most),
        "lot_and_tick": lambda _: (
            is_money(view.lot)
            and abs(units / view.lot - round(units / view.lot)) < 1e-6
            and (math.isnan(ask.price) or is_money(view.tick))
        ),
        "max_position_notional": lambda most: within(abs(after) * price, most),
        "max_position_share": lambda most: (
            is_money(state.equity) and within(abs(after) * price, most * state.equity)
        ),
        "max_gross": lambda most: within(gross, most),
        "max_net": lambda most: within(abs(view.net + ask.side * worth), most),
        "max_leverage": lambda most: is_money(state.equity) and within(gross, most * state.equity),
        "buying_power": lambda _: (
            math.isfinite(view.buying_power) and within(worth, view.buying_power)
        ),
        "short_availability": lambda _: ask.side > 0.0 or within(shorted, view.shortable),
        "max_open_orders": lambda most: 0.0 <= view.open_orders < most,
        "max_orders_per_minute": lambda most: math.isfinite(view.at_ms) and len(recent) < most,
        "session_hours": lambda _: view.is_open == 1.0,
        "max_data_age_s": lambda most: -1.0 <= age_s <= most,
        "max_volume_share": lambda most: (
            math.isfinite(view.volume) and within(units, most * view.volume)
        ),
        "target_volatility": lambda most: (
            0.0 <= view.volatility < math.inf
            and (view.volatility <= most or within(units, ask.units * most / view.volatility))
        ),
        "max_daily_loss": lambda most: not lost(state, state.day_equity, most),
        "max_drawdown": lambda most: not lost(state, state.peak, most),
        "max_losses_in_a_row": lambda most: state.losses < most,
        "cooldown_s": lambda most: (
            SOLE not in state.left_ms or (math.isfinite(left_s) and left_s >= most)
        ),
    }
    asked = {name: getattr(rules, name) for name in keeps}
    return {name for name, limit in asked.items() if limit and not keeps[name](limit)}


@pytest.mark.parametrize("rule", RULES)
@settings(law, max_examples=120)
@given(data=st.data(), view=views(), ask=ASKS)
def test_no_order_passes_that_one_limit_forbids(rule, data, view, ask) -> None:
    rules = RiskLimits(**{rule: data.draw(RULES[rule])})

    verdict = judge(rules, view, ask)

    if verdict.code == "passed":
        assert forbidden(rules, view, ask, verdict.units) == set()


@law
@given(rules=limits(), view=views(), ask=ASKS)
def test_no_order_passes_that_a_limit_forbids(rules, view, ask) -> None:
    verdict = judge(rules, view, ask)

    assert verdict.units <= ask.units or not verdict.allowed
    assert verdict.allowed == (verdict.units > 0.0)
    only_reduces = view.position * ask.side < 0.0 and ask.units <= abs(view.position)
    if verdict.code == "passed":
        assert view.state.mode is Mode.ACTIVE
        assert not ask.flattens
        assert abs(ask.side) == 1.0
        assert 0.0 < view.price < math.inf
        assert forbidden(rules, view, ask, verdict.units) == set()
    elif verdict.allowed:
        assert only_reduces
        assert view.state.mode is not Mode.HALTED or ask.flattens


@law
@given(rules=limits(), view=views(), share=st.floats(0.01, 1.0), held=st.floats(1e-6, 1e6))
def test_what_only_reduces_passes_unless_halted(rules, view, share, held) -> None:
    side = 1.0 if view.price == view.price else -1.0
    ask = Ask(SOLE, -side, held * share)

    verdict = judge(rules, view._replace(position=side * held), ask)

    halted = view.state.mode is Mode.HALTED
    assert (verdict.code, verdict.units) == (("halted", 0.0) if halted else ("reduces", ask.units))


@law
@given(rules=limits(), view=views(), ask=ASKS)
def test_the_most_units_are_within_each_limit_of_size(rules, view, ask) -> None:
    """An entry sized at its fill takes at most these: they must keep what the gate keeps."""
    verdict = judge(rules, view, ask)
    if verdict.code != "passed":
        return
    most = most_units(rules, view, ask)
    assert most >= verdict.units * (1.0 - 1e-8)
    if math.isfinite(most):
        broken = forbidden(rules, view, ask, most)
        # these are kept by other means
        assert broken <= {"lot_and_tick", "target_volatility", "min_order_notional"}


EASY = View(
    GateState.begin(1_000.0), 60_000.0, 60_000.0, 100.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1_000.0, 9.0, 1.0,
    1_000.0, 0.01, 1.0, 0.5,
)  # fmt: skip


def test_a_lot_or_tick_too_small_to_count_in_is_not_known() -> None:
    rules, tiny = RiskLimits(lot_and_tick=True), EASY._replace(lot=5e-324, tick=5e-324)

    assert judge(rules, tiny, Ask(SOLE, 1.0, 5.0)).code == "unknown_lot"
    assert judge(rules, tiny._replace(lot=1.0), Ask(SOLE, 1.0, 5.0, 99.0)).code == "unknown_tick"


# limit, its value, what is seen, what makes it unknown, the code of that
UNKNOWN = [
    ("max_position_notional", 1e9, {"position": NAN}, "unknown_position"),
    ("max_position_share", 1e9, {"state": GateState.begin(NAN)}, "unknown_equity"),
    ("max_gross", 1e9, {"gross": math.inf}, "unknown_exposure"),
    ("max_net", 1e9, {"net": NAN}, "unknown_exposure"),
    ("max_leverage", 1e9, {"state": GateState.begin(-1.0)}, "unknown_equity"),
    ("buying_power", True, {"buying_power": NAN}, "unknown_buying_power"),
    ("max_open_orders", 5, {"open_orders": NAN}, "unknown_open_orders"),
    ("max_orders_per_minute", 5, {"at_ms": NAN}, "unknown_clock"),
    ("session_hours", "refuse", {"is_open": NAN}, "unknown_session"),
    ("max_data_age_s", 5.0, {"price_ms": NAN}, "unknown_clock"),
    ("max_volume_share", 0.9, {"volume": NAN}, "unknown_volume"),
    ("target_volatility", 0.9, {"volatility": NAN}, "unknown_volatility"),
    ("lot_and_tick", True, {"lot": NAN}, "unknown_lot"),
    ("max_daily_loss", 0.1, {"state": GateState.begin(NAN)}, "unknown_equity"),
    ("max_drawdown", 0.1, {"state": GateState.begin(NAN)}, "unknown_equity"),
]


@pytest.mark.parametrize(("limit", "value", "seen", "code"), UNKNOWN)
def test_what_is_not_known_refuses_with_a_code_of_its_own(limit, value, seen, code) -> None:
    rules, ask = RiskLimits(**{limit: value}), Ask("a:X", 1.0, 5.0)

    assert judge(rules, EASY, ask).code == "passed"
    assert judge(rules, EASY._replace(**seen), ask)[:2] == (False, code)


def test_a_daily_loss_whose_equity_is_no_number_refuses_until_it_is_known_again() -> None:
    rules, ask = RiskLimits(max_daily_loss=0.1), Ask("a:X", 1.0, 5.0)
    state = GateState.begin(1_000.0).valued(rules, NAN, 60_000.0)

    assert judge(rules, EASY._replace(state=state), ask).code == "unknown_equity"
    assert judge(rules, EASY._replace(state=state.valued(rules, 990.0, 120_000.0)), ask).allowed
    lost = state.valued(rules, 900.0, 120_000.0)
    assert judge(rules, EASY._replace(state=lost), ask).code == "max_daily_loss"


def test_a_day_that_begins_while_the_equity_is_unknown_counts_from_what_was_known_last() -> None:
    rules = RiskLimits(max_daily_loss=0.1)
    state = GateState.begin(1_000.0).valued(rules, 950.0, 1_000.0).valued(rules, NAN, 2_000.0)

    state = state.at(DAY_MS + 1_000.0)

    assert (state.day_equity, state.day) == (950.0, 1)
    assert state.valued(rules, 850.0, DAY_MS + 2_000.0).cause == "max_daily_loss"


def test_a_candle_that_ends_at_midnight_belongs_to_the_day_that_ends() -> None:
    """On daily candles a lost day refuses the entry that its own close orders, and no other."""
    rules, ask = RiskLimits(max_daily_loss=0.1), Ask("a:X", 1.0, 5.0)
    state = GateState.begin(1_000.0).valued(rules, 900.0, float(DAY_MS))

    assert not judge(rules, EASY._replace(state=state), ask).allowed
    next_day = state.valued(rules, 890.0, 2.0 * DAY_MS)
    assert next_day.day_equity == 900.0
    assert judge(rules, EASY._replace(state=next_day), ask).allowed


def test_a_halt_ends_by_release_alone_and_a_release_measures_anew() -> None:
    rules = RiskLimits(max_drawdown=0.1, max_losses_in_a_row=1)
    fallen = GateState.begin(1_000.0).valued(rules, 800.0, 1_000.0)
    fallen = fallen.traded(rules, "a:X", -1.0, 1_000.0).commanded("halt").commanded("pause")

    assert fallen.commanded("resume").mode is Mode.HALTED
    assert fallen.commanded("release").mode is Mode.REDUCING  # the pause is another's
    released = fallen.commanded("release").commanded("resume")
    assert (released.mode, released.peak, released.losses) == (Mode.ACTIVE, 800.0, 0)


def test_a_state_comes_back_from_its_document_bit_for_bit() -> None:
    rules = RiskLimits(max_drawdown=0.1)
    state = GateState.begin(0.1 + 0.2).valued(rules, -0.0, 1.5).ordered(2.25)
    state = state.traded(rules, "a:X", NAN, 3.0).commanded("pause").valued(rules, NAN, 9.0)

    again = GateState.of(state.document())

    assert repr(again) == repr(state)
    assert dataclasses.replace(again, equity=0.0) == dataclasses.replace(state, equity=0.0)


def test_recent_candles_are_measured_only_where_there_are_enough() -> None:
    assert recent_volume(np.array([9.0, 1.0, 3.0]), 2) == 2.0
    assert math.isnan(recent_volume(np.array([1.0]), 2))
    assert recent_volatility(np.array([100.0, 110.0, 99.0]), 2) == pytest.approx(0.1414213562)
    assert math.isnan(recent_volatility(np.array([100.0, 110.0]), 2))

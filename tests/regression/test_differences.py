"""What counts as moved, what explains it, and how it is told; with answers made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from regression import cells, differences, environments, speed
from regression.decision import chance_of_better
from regression.differences import SceneStatus, compare_scenes
from regression.evidence import DetailedRun, SceneAnswer, Side
from regression.golden import GoldenScene
from regression.markdown import has_passed, report, verdict
from regression.speed import ratio_of, ratios

SCENE = GoldenScene("one", {"strategy": {"name": "s"}, "instruments": ["a:X"], "interval": "1d"})
DAY = 86_400_000


def document(**change: Any) -> dict[str, Any]:
    plain = {
        "run_key": "k",
        "instruments": ["a:X"],
        "params": {},
        "error": None,
        "computed_at": "now",
        "engine_version": "1",
        "strategy": {"name": "s", "digest": "d"},
        "total_return": 0.5,
        "sharpe": 1.0,
        "max_drawdown": -0.25,
        "trades": 1,
    }
    return {**plain, **change}


def trade(profit: float = 1.0) -> dict[str, Any]:
    return {
        "entry_at": "2023-01-01T00:00:00+00:00",
        "exit_at": "2023-01-02T12:30:00+00:00",
        "size": -2.0,
        "entry_price": 100.0,
        "exit_price": 99.5,
        "exit_reason": "signal",
        "profit": profit,
    }


def side(
    *documents: dict[str, Any],
    trades: tuple[dict[str, Any], ...] = (trade(),),
    equity: tuple[float, ...] = (1.0, 2.0),
    digest: str = "d",
    engine: str = "1",
    metrics: str = "1",
    error: str | None = None,
    again: bool = True,
    found: dict[str, Any] | None = None,
) -> Side:
    opened_ms = DAY * np.arange(len(equity))
    drawn = DetailedRun("k", trades, (None, None), opened_ms, np.array(equity))
    answer = SceneAnswer(documents or (document(),), (drawn,), found, again=again)
    if error is not None:
        answer = SceneAnswer(error=error)
    strategies = {"s": digest}
    return Side("abc", "words", "here", engine, metrics, strategies, {}, {"one": answer})


def compared(base: Side, head: Side, scene: GoldenScene = SCENE) -> differences.SceneCompared:
    [only] = compare_scenes([scene], base, head)
    return only


def test_equal_answers_are_the_same_whenever_they_were_computed() -> None:
    later = document(computed_at="later", engine_version="2", strategy={"digest": "e"})
    assert compared(side(), side(later, engine="2", digest="e")).status is SceneStatus.SAME


def test_the_last_bit_of_any_number_is_seen_and_so_is_a_warning() -> None:
    least = np.nextafter(1.0, 2.0).item()
    for name, value in (("sharpe", least), ("sharpe", None), ("warnings", ["gaps"])):
        moved = compared(side(), side(document(**{name: value})))
        assert moved.status is SceneStatus.UNEXPLAINED
        assert list(moved.unexplained) == [name]


def test_a_term_that_is_new_and_not_asked_for_moves_nothing() -> None:
    known = {"stop_loss": 0.05, "take_profit": None}
    base = side(document(exits=known))
    new = side(document(exits={**known, "limit_offset": None, "limit_bars": 1}))
    assert compared(base, new).status is SceneStatus.SAME
    for other in ({**known, "limit_bars": 2}, {**known, "stop_loss": None}):
        assert list(compared(base, side(document(exits=other))).unexplained) == ["exits"]


def test_a_run_more_or_less_is_seen() -> None:
    found = compared(side(document(), document(run_key="l")), side(document()))
    assert found.status is SceneStatus.UNEXPLAINED


@pytest.mark.parametrize(
    ("head", "unexplained"),
    [
        (side(document(sharpe=2.0), equity=(1.0, 3.0)), ["equity", "sharpe"]),
        (side(document(sharpe=2.0), equity=(1.0, 3.0), metrics="2"), ["equity"]),
        (side(document(sharpe=2.0), metrics="2"), []),
        (side(document(sharpe=2.0), equity=(1.0, 3.0), engine="2"), []),
        (side(document(sharpe=2.0), equity=(1.0, 3.0), digest="e"), []),
        (side(trades=(trade(2.0),), metrics="2"), ["trades"]),
        (side(trades=(), metrics="2"), ["trades"]),
    ],
)
def test_a_number_may_move_where_what_it_is_made_with_changed(
    head: Side, unexplained: list[str]
) -> None:
    """New metrics are no reason for other trades or another equity."""
    moved = compared(side(), head)
    assert list(moved.unexplained) == unexplained
    assert has_passed([moved]) is (not unexplained)


def test_a_search_s_statistics_are_numbers_too() -> None:
    before, after = ({"statistics": {"dsr": dsr, "notes": []}} for dsr in (0.5, 0.6))
    moved = compared(side(found=before), side(found=after))
    assert moved.unexplained == ["statistics.dsr"]
    assert compared(side(found=before), side(found=after, metrics="2")).status is SceneStatus.MOVED
    [ratio] = [line for line in text(moved).splitlines() if "deflated" in line]
    assert ratio == "| one | deflated Sharpe ratio | 0.5000 | 0.6000 | +0.1 |"


def test_failures_are_told_apart() -> None:
    fails = side(error="it broke")
    assert compared(side(), fails).status is SceneStatus.FAILS
    assert compared(fails, side()).status is SceneStatus.REPAIRED
    assert compared(fails, fails).status is SceneStatus.FAILS_ON_BOTH
    failed = side(document(error={"class": "E", "sentence": "no"}))
    assert compared(side(), failed).message == "E: no"
    assert compared(side(), side(again=False)).status is SceneStatus.NOT_REPRODUCIBLE
    unknown = GoldenScene("one", {"strategy": {"name": "nobody's"}})
    assert compared(side(), fails, unknown).status is SceneStatus.FAILS


def test_one_line_still_says_that_the_packages_were_others() -> None:
    own = replace(side(), environment="its own: p 2 (here 1)")
    [line] = report([compared(side(), own)], side(), own, (None, ()), {}).splitlines()
    assert line.endswith("to the last bit; BASE ran in here, HEAD in its own: p 2 (here 1).")


def text(*found: differences.SceneCompared, base: Side | None = None) -> str:
    return report(found, base or side(), side(), (None, ()), {})


def test_a_report_tells_the_first_trade_that_differs_with_times_and_prices() -> None:
    moved = compared(side(), side(trades=(trade(), trade(-3.0)), digest="e"))
    lines = text(moved).splitlines()
    at = next(at for at, line in enumerate(lines) if "the first that differs" in line)
    assert lines[at] == (
        "- **one**, a:X: 1 trade in BASE, 2 in HEAD; the first that differs is number 2."
    )
    assert lines[at + 1 : at + 3] == [
        "  - BASE: none",
        "  - HEAD: short, 2023-01-01 00:00 at 100 to 2023-01-02 12:30 at 99.5 (signal), size 2, "
        "profit -3",
    ]


def test_nothing_that_anybody_wrote_breaks_a_table_and_a_comment_is_never_too_long() -> None:
    odd = compared(side(), side(error="a | b\n<script>"))
    assert "| one | fails | a \\| b &lt;script> |" in text(odd)
    documents = [document(run_key=f"k{at or ''}", params={"p": at}) for at in range(3_000)]
    moved = compared(
        side(*documents), side(*({**one, "sharpe": 2.0} for one in documents), digest="e")
    )
    many = text(*[moved] * 2_000)
    assert len(many) < 65_536
    assert many.endswith("run `mela compare` for all of it._\n")


def test_the_verdict_names_what_is_worst_first() -> None:
    found = [compared(side(), side(error="it broke")), compared(side(), side(document(sharpe=2.0)))]
    assert verdict(found, side(), side(), None) == (
        "**Fails**: of 2 golden scenes, 1 failing; 1 moved without a reason."
    )


def test_numbers_have_the_digits_that_tell_them_apart() -> None:
    assert cells.change(0.123456, 0.123457, "cagr") == "12.3456 % → 12.3457 %"
    assert cells.change(1.0, np.nextafter(1.0, 2.0).item()) == "1.0 → 1.0000000000000002"
    assert cells.change(None, 2) == "– → 2"


def test_speed_is_of_repeats_in_turns() -> None:
    """A slow minute slows both, so that their ratio hardly moves."""
    ratio = ratio_of("one", [1.0, 5.0, 1.0], [1.2, 6.0, 1.3])
    assert (ratio.middle, ratio.low, ratio.high) == pytest.approx((1.2, 1.2, 1.3))
    assert ratio.is_certain
    assert not ratio_of("one", [1.0, 1.0], [1.5, 0.9]).is_certain
    assert ratios(side(), side()) == (None, [])


def test_the_chance_of_better_knows_nothing_of_curves_that_never_part() -> None:
    random = np.random.default_rng(1)
    base = np.cumprod(1 + random.normal(0, 0.01, 400))
    head = np.cumprod(1 + random.normal(0, 0.01, 400) + 0.002)
    at = DAY * np.arange(400)
    curves = {name: DetailedRun("k", (), (), at, one) for name, one in (("b", base), ("h", head))}
    assert chance_of_better(curves["b"], curves["b"]) is None
    better, worse = (
        chance_of_better(curves["b"], curves["h"]),
        chance_of_better(curves["h"], curves["b"]),
    )
    assert better is not None
    assert worse is not None
    assert better > 0.9
    assert better + worse == pytest.approx(1.0)


@pytest.mark.parametrize("module", [cells, differences, environments, speed])
def test_the_examples_of_the_docstrings_hold(module: Any) -> None:
    import doctest

    failed, tried = doctest.testmod(module)
    assert failed == 0
    assert tried > 0

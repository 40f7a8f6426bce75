"""The surface of a search: which axes, which values, and what stands for several runs."""

from __future__ import annotations

import doctest
import warnings

import numpy as np
import pytest

from backtests.charts import html, png, surface
from backtests.charts.picture import scene_picture
from backtests.charts.surface import limits, surface_of, value_at
from backtests.testing.instrument import execute
from tests.backtests.charts.outcomes import walk

FAST, SLOW, STOP = "strategy.params.fast", "strategy.params.slow", "exits.stop_loss"


def row(fast, slow, stop=None, sharpe=0.0, instrument="binance:BTCUSDT") -> dict:
    return {
        "instruments": [instrument],
        "strategy": {"name": "sma_cross"},
        "params": {"fast": fast, "slow": slow},
        "exits": {"stop_loss": stop},
        "sharpe": sharpe,
        "max_drawdown": -0.1,
        "volatility_ann": sharpe,
        "run_key": f"{fast}{slow}{stop}",
    }


GRID = [
    row(fast, slow, stop, fast + slow / 100 + (stop or 0.0))
    for fast in (3, 5, 8)
    for slow in (20, 50, 100, 200)
    for stop in (None, 0.1)
]


def test_the_two_axes_with_most_values_are_drawn_and_the_median_over_the_rest() -> None:
    found = surface_of(GRID, [STOP, FAST, SLOW], "sharpe")

    assert (found.x.name, found.x.labels) == ("fast", ("3", "5", "8"))
    assert (found.y.name, found.y.labels) == ("slow", ("20", "50", "100", "200"))
    assert found.values.shape == (4, 3)
    assert found.values[0, 0] == pytest.approx(3.2 + 0.05)  # of 3.2 and 3.3
    assert found.best == (3, 2)
    assert found.notes == (
        "each place: the median over exits.stop_loss",
        "the best place is framed",
    )
    assert found.runs == 24


def test_instruments_are_gathered_too() -> None:
    rows = [row(3, 20, sharpe=s, instrument=i) for i, s in (("a:B", 1.0), ("a:C", 3.0))]
    rows += [row(5, 20, sharpe=s, instrument=i) for i, s in (("a:B", 2.0), ("a:C", 9.0))]
    found = surface_of(rows, [FAST], "sharpe")
    assert found.values.tolist() == [[2.0, 5.5]]
    assert found.notes == ("each place: the median over instrument",)


def test_the_run_that_is_drawn_has_its_place_where_the_median_prefers_another() -> None:
    """The best run may lie where the other runs of its place are worse."""
    rows = [row(3, 20, None, 9.0), row(3, 20, 0.1, -5.0), row(3, 50, None, 1.0)]
    rows += [row(5, 20, None, 4.0), row(5, 20, 0.1, 4.0), row(5, 50, None, 2.0)]

    found = surface_of(rows, [FAST, SLOW, STOP], "sharpe", rows[0])

    assert (found.best, found.drawn) == ((0, 1), (0, 0))
    assert found.values[found.drawn] == 2.0
    assert found.notes[-1] == (
        "the star is the run drawn below, sharpe 9.00 with exits.stop_loss none"
    )
    [star] = html.surface_figure(found).layout.annotations
    assert (star.text, round(star.x), round(star.y)) == ("★", 0, 0)
    figure = png._figure(png.SURFACE_HEIGHT)
    png._draw_surface(figure, found)
    [mark] = [line for line in figure.axes[0].lines if line.get_marker() == "*"]
    assert (round(mark.get_xdata()[0]), round(mark.get_ydata()[0])) == (0, 0)
    assert figure.axes[0].get_xlim() == (-0.5, 1.5)  # the star moves no border


def test_on_a_line_the_drawn_run_is_told_from_the_best_place() -> None:
    rows = [row(3, 20, None, 9.0), row(3, 20, 0.1, -5.0), row(5, 20, None, 4.0)]
    found = surface_of(rows, [FAST], "sharpe", rows[0])

    names = [trace.name for trace in html.surface_figure(found).data]
    assert names == ["sharpe", "best: 5", "drawn: 3"]


def test_a_picture_marks_the_run_of_its_rank() -> None:
    candles = walk(100)
    outcome = execute(candles, [5], [9])
    ranked = sorted(GRID, key=lambda each: -each["sharpe"])

    page = scene_picture(
        "html", outcome, candles, rows=ranked, paths=[FAST, SLOW], rank=24
    ).decode()

    assert f"the star is the run drawn below, sharpe {ranked[23]['sharpe']:.2f}" in page


def test_one_axis_is_a_line_and_none_is_nothing() -> None:
    rows = [row(fast, 50, sharpe=float(fast)) for fast in (8, 3, 5)]
    found = surface_of(rows, [FAST, SLOW], "sharpe")
    assert (found.y, found.x.labels, found.values.tolist()) == (None, ("3", "5", "8"), [[3, 5, 8]])
    assert surface_of(rows[:1], [FAST, SLOW], "sharpe") is None
    assert surface_of(rows, [], "sharpe") is None


def test_nulls_leave_a_gap_and_do_not_count() -> None:
    rows = [row(3, 20, sharpe=None), row(3, 50, sharpe=1.0), row(5, 20, None, 2.0)]
    rows += [row(3, 50, 0.1, None), row(5, 50, sharpe=None)]
    found = surface_of(rows, [FAST, SLOW], "sharpe")
    assert np.isnan(found.values[0, 0])
    assert np.isnan(found.values[1, 1])
    assert found.values[1, 0] == 1.0
    assert found.best == (0, 1)


def test_low_is_best_where_lower_is_better() -> None:
    assert surface_of(GRID, [FAST, SLOW], "volatility_ann").best == (0, 0)


def test_none_comes_first_among_numbers_and_text_keeps_its_order() -> None:
    rows = [row(3, 20, stop, 1.0) for stop in (0.2, None, 0.1)]
    assert surface_of(rows, [STOP], "sharpe").x.labels == ("none", "0.1", "0.2")
    named = [{**row(3, 20), "strategy": {"name": name}} for name in ("sma_cross", "macd")]
    assert surface_of(named, ["strategy.name"], "sharpe").x.labels == ("sma_cross", "macd")


def test_many_numbers_are_gathered_into_ranges() -> None:
    rows = [row(value, 20, sharpe=value) for value in np.linspace(0, 1, 500).tolist()]
    found = surface_of(rows, [FAST], "sharpe")
    assert len(found.x.labels) == 24
    assert found.values[0] == pytest.approx([float(label) for label in found.x.labels], abs=2e-3)
    assert "500 values in 24 equal ranges" in found.notes[-1]


def test_colours_are_symmetric_around_zero() -> None:
    assert limits(np.array([-1.0, 3.0, np.nan])) == (-3.0, 3.0)
    assert limits(np.array([2.0, 2.0])) == (2.0, 3.0)


def test_a_search_without_any_value_is_drawn_without_a_warning() -> None:
    rows = [row(fast, slow, sharpe=None) for fast in (3, 5) for slow in (20, 50)]
    found = surface_of(rows, [FAST, SLOW], "sharpe")
    assert found.best is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert html.surface_figure(found).data[0].z[0] == [None, None]
        figure = png._figure(png.SURFACE_HEIGHT)
        png._draw_surface(figure, found)
        assert png._encoded(figure).startswith(b"\x89PNG")


def test_the_heat_map_holds_the_surface() -> None:
    found = surface_of(GRID, [FAST, SLOW], "sharpe")
    [heat] = html.surface_figure(found).data
    assert (heat.type, heat.x, heat.y) == ("heatmap", found.x.labels, found.y.labels)
    assert np.array(heat.z).tolist() == found.values.tolist()
    [frame] = html.surface_figure(found).layout.shapes
    assert (frame.x0, frame.y1) == (1.5, 3.5)


def test_the_line_holds_the_surface_and_marks_the_best() -> None:
    line, best = html.surface_figure(surface_of(GRID, [FAST], "sharpe")).data
    assert line.x == ("3", "5", "8")
    assert (best.x, best.name) == (("8",), "best: 8")


def test_examples_hold() -> None:
    assert value_at(GRID[0], "strategy.params.none_such") is None
    assert doctest.testmod(surface).failed == 0

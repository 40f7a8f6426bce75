"""Pictures as they are written: what the page holds, and that the PNG is one, of its size."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO

import matplotlib.image as mpimg
import numpy as np
import pytest

from backtests.charts import colours, html, png, png_run, png_style
from backtests.charts.drawn_lines import DrawnIndicators, DrawnLine, Panel
from backtests.charts.over_time import Months
from backtests.charts.picture import fan_picture, scene_picture
from backtests.charts.view import view_of
from backtests.testing.instrument import execute
from mela.candles import Candles
from mela.interval import Interval
from tests.backtests.charts.outcomes import both_sides, walk
from tests.backtests.charts.test_surface import FAST, GRID, SLOW

DAY_MS = 86_400_000
TIMES = 1_672_531_200_000 + DAY_MS * np.arange(50)
FAN = {level: np.linspace(100, 100 + 40 * level, 50) for level in (0.05, 0.25, 0.5, 0.75, 0.95)}


def decoded(picture: bytes) -> np.ndarray:
    return mpimg.imread(BytesIO(picture), format="png")


def height_of(candles: Candles) -> int:
    """Return how high a picture of a run on these candles is: the run, and its months."""
    view = view_of(execute(candles, [5], [9]), candles, most_candles=400)
    return png_run.run_height(view) + png_run.months_height(view.months)


def test_the_figure_of_a_run_has_a_mark_for_each_fill() -> None:
    candles = walk(260)
    outcome = both_sides(candles)

    figure = html.run_figure(view_of(outcome, candles, most_candles=2_000))

    count = len(outcome.curve.trades)
    kinds = {trace.name: trace for trace in figure.data}
    assert kinds["candles"].type == "candlestick"
    assert len(kinds["candles"].open) == 260
    marks = {name: trace for name, trace in kinds.items() if name.startswith(("ent", "exi"))}
    assert sum(len(t.x) for n, t in marks.items() if n.startswith("enter")) == count
    assert sum(len(t.x) for n, t in marks.items() if n.startswith("exit")) == count
    longs = sum(trade.size > 0 for trade in outcome.curve.trades)
    assert 0 < longs < count
    assert marks[f"enter long ({longs})"].marker.symbol == "triangle-up"
    assert marks[f"enter short ({count - longs})"].marker.symbol == "triangle-down"
    assert len({trace.marker.symbol for trace in marks.values()}) == 8
    assert kinds["equity"].y[-1] == outcome.curve.equity[-1]
    assert kinds["buy & hold"].yaxis == kinds["equity"].yaxis == "y2"
    assert min(kinds["drawdown"].y) == pytest.approx(outcome.metrics.max_drawdown)
    assert figure.layout.yaxis.title.text == "price (USDT)"


def test_a_page_needs_nothing_from_elsewhere() -> None:
    candles = walk(260)
    page = scene_picture("html", both_sides(candles), candles).decode()

    assert page.startswith("<!DOCTYPE html>")
    assert re.findall("<h1>(.*)</h1>", page)[1:] == ["Monthly returns"]
    assert re.findall(r"<(?:script|link)[^>]*(?:src|href)=", page) == []
    assert "plotly.js v" in page
    assert len(page) < 7_000_000


def test_a_page_of_a_search_has_its_surface_above_the_best_run() -> None:
    candles = walk(260)
    page = scene_picture(
        "html", both_sides(candles), candles, rows=GRID, paths=[FAST, SLOW], metric="sharpe"
    ).decode()
    assert re.findall("<h1>(.*)</h1>", page)[0] == "sharpe by fast and slow"
    assert "the best of 24 runs by sharpe" in page
    assert page.count("plotly.js v") == 1


def test_a_name_is_text_and_not_markup() -> None:
    candles = walk(40)
    outcome = execute(candles, [5], [9])
    view = view_of(outcome, candles, most_candles=100)
    object.__setattr__(view, "title", "<script>alert(1)</script>")
    assert "<script>alert" not in html.scene_html(view, None)


def test_a_png_has_its_size_and_the_colours_of_its_parts() -> None:
    candles = walk(260)
    picture = scene_picture("png", both_sides(candles), candles)

    pixels = decoded(picture)
    assert pixels.shape[:2] == (height_of(candles), 1_600)
    for colour in (colours.EQUITY, colours.HOLD, colours.RISING, colours.FALLING, colours.SHARPE):
        assert (np.abs(pixels[..., :3] - rgb(colour)).max(axis=2) < 0.01).sum() > 50, colour
    assert picture == scene_picture("png", both_sides(candles), candles)


def test_a_png_of_a_search_is_higher() -> None:
    candles = walk(100)
    outcome = execute(candles, [5], [9])
    picture = scene_picture("png", outcome, candles, rows=GRID, paths=[FAST, SLOW])
    assert decoded(picture).shape[:2] == (760 + height_of(candles), 1_600)


def test_half_a_million_candles_make_a_picture_of_a_few_megabytes() -> None:
    candles = walk(2_000)
    tiled = np.tile(candles.close, 250)
    times = 60_000 * np.arange(500_000)
    many = Candles(Interval.M1, times, tiled, tiled, tiled, tiled, np.ones(500_000))
    outcome = execute(many, range(0, 500_000, 50), range(25, 500_000, 50))

    page = scene_picture("html", outcome, many)

    assert len(outcome.curve.trades) == 10_000
    assert len(page) < 9_000_000
    assert b"500,000 candles, 250 merged" in page
    assert b"3,000 of 10,000 trades marked" in page


# What a run's picture says besides


def test_the_strategys_indicators_are_drawn_where_they_belong() -> None:
    candles = walk(400)
    means, cycle = DrawnLine("sma(20)", candles.close), DrawnLine("rsi(14)", candles.close)
    view = view_of(execute(candles, [5], [9]), candles, most_candles=2_000)
    drawn = DrawnIndicators((means,), (Panel("rsi(14)", "0..100", (cycle,)),))
    view = replace(view, indicators=drawn)

    figure = html.run_figure(view)

    traces = {trace.name: trace for trace in figure.data}
    assert (traces["sma(20)"].yaxis, traces["rsi(14)"].yaxis) == ("y", "y2")
    assert (traces["equity"].yaxis, traces["drawdown"].yaxis) == ("y3", "y4")
    assert traces[f"Sharpe of the last {view.rolling.window} periods"].yaxis == "y5"
    assert [figure.layout[f"yaxis{row}"].title.text for row in (2, 5)] == [
        "0..100",
        "rolling Sharpe",
    ]
    pixels = decoded(png.scene_png(view, None))
    higher = png_run.SMALL + png_run.GAP
    assert pixels.shape[0] == height_of(candles) + higher
    seen = np.abs(pixels[..., :3] - rgb(colours.LINES[0])).max(axis=2) < 0.01
    assert seen[:600].sum() > 50  # over the candles
    assert seen[600:700].sum() > 50  # and below them


def test_a_run_too_short_for_months_and_sharpe_is_drawn_without_them() -> None:
    candles = walk(20)
    outcome = execute(candles, [5], [9])
    view = view_of(outcome, candles, most_candles=400)

    assert (view.months, view.rolling) == (None, None)
    assert b"Monthly returns" not in scene_picture("html", outcome, candles)
    pixels = decoded(scene_picture("png", outcome, candles))
    assert pixels.shape[0] == png_run.run_height(view) < height_of(walk(260))


def test_months_are_a_table_with_a_row_for_each_year() -> None:
    values = np.full((2, 12), np.nan)
    values[0, 11], values[1, 0] = 0.1, -0.05
    table = html.months_table(Months((2023, 2024), values, np.array([0.1, -0.05])))

    rows = re.findall("<tr><th>(\\d+)</th>(.*)</tr>", table)
    assert [year for year, _ in rows] == ["2023", "2024"]
    cells = [re.findall("<td[^>]*>(.*?)</td>", row) for _, row in rows]
    assert cells == [[""] * 11 + ["+10.0%", "+10.0%"], ["-5.0%"] + [""] * 11 + ["-5.0%"]]
    assert f"background: {colours.RISING}" in table


def test_ticks_of_a_small_drawdown_differ() -> None:
    """With whole percents they would all say 0%."""
    candles = walk(260)
    view = view_of(execute(candles, [5], [9]), candles, most_candles=400)
    assert html.run_figure(view).layout.yaxis3.tickformat == ".4~%"

    shallow = replace(view, drawdown=view.drawdown / view.drawdown.min() * -0.004)
    figure = png._figure(png_run.run_height(shallow))
    png_run.draw_run(figure, shallow)
    figure.canvas.draw()
    [under] = [axes for axes in figure.axes if axes.get_ylabel() == "drawdown"]
    labels = [label.get_text() for label in under.get_yticklabels()]
    assert len(set(labels)) == len(labels) > 2


@pytest.mark.parametrize("largest", [1e-6, 0.004, 0.03, 0.5, 0.999])
def test_percents_of_an_axis_can_be_told_apart(largest: float) -> None:
    ticks = np.linspace(-largest, 0, 6)
    assert len({png_style.percent(tick) for tick in ticks}) == 6


def test_marks_of_a_legend_are_as_large_as_if_there_were_few() -> None:
    candles = walk(260)
    outcome = both_sides(candles)
    view = view_of(outcome, candles, most_candles=400)
    crowded = replace(view, entries=view.entries * 30)
    assert crowded.mark_scale < 0.5

    figure = png._figure(png_run.run_height(view))
    png_run.draw_run(figure, replace(crowded, entries=crowded.entries[:2] * 30))
    [drawn] = [axes.get_legend() for axes in figure.axes if axes.get_ylabel().startswith("price")]
    sizes = {
        text.get_text().split(" (")[0]: handle.get_sizes()[0]
        for text, handle in zip(drawn.texts, drawn.legend_handles, strict=True)
    }
    assert sizes["exit: stop loss"] == pytest.approx(colours.SHAPES["stop_loss"].area)
    assert html.run_figure(view).layout.legend.itemsizing == "constant"


# Fans


def test_a_fan_has_a_band_for_each_pair_and_a_line_for_the_middle() -> None:
    figure = html.fan_figure(TIMES, FAN, FAN[0.5] + 1)
    names = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert names == ["5% to 95% of the paths", "25% to 75% of the paths", "median", "what happened"]
    assert [trace.fill for trace in figure.data].count("tonexty") == 2
    assert figure.data[1].y == tuple(FAN[0.95].tolist())
    fills = [trace.fillcolor for trace in figure.data if trace.fill == "tonexty"]
    assert len(set(fills)) == 2  # a legend with two alike would say nothing


def test_a_fan_is_written_both_ways() -> None:
    assert decoded(fan_picture(TIMES, FAN, kind="png")).shape[:2] == (800, 1_600)
    page = fan_picture(TIMES, FAN, FAN[0.5], title="A & B").decode()
    assert "<h1>A &amp; B</h1>" in page


def test_a_wrong_fan_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 50 values in each curve"):
        fan_picture(TIMES, {0.5: np.ones(49)})
    with pytest.raises(ValueError, match="expected levels within"):
        fan_picture(TIMES, {50: np.ones(50)})
    with pytest.raises(ValueError, match="expected levels within"):
        fan_picture(TIMES, {})


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])


def test_a_page_follows_the_readers_theme_and_the_width_of_a_phone() -> None:
    candles = walk(260)

    page = html.scene_html(view_of(both_sides(candles), candles, most_candles=2_000), None)

    style = re.search("<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    light, _, dark = style[1].partition("@media (prefers-color-scheme: dark)")
    assert f"--paper: {colours.LIGHT.paper}" in light
    assert f"--paper: {colours.DARK.paper}" in dark.partition("body")[0]
    assert 'content="width=device-width, initial-scale=1"' in page
    tables = page.count("<table>")
    assert tables == len(re.findall(r'<div class="wide"><table>', page)) == 1
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    for theme in (colours.LIGHT, colours.DARK):
        assert all(f"'{colour}'" in script for colour in theme)

"""Pictures as they are written: what the page holds, and that the PNG is one, of its size."""

from __future__ import annotations

import re
from io import BytesIO

import matplotlib.image as mpimg
import numpy as np
import pytest

from backtests.charts import html, png
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
    assert page.count("<h1>") == 1
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
    assert pixels.shape[:2] == (1_000, 1_600)
    for colour in (png.EQUITY, png.HOLD, png.RISING, png.FALLING):
        assert (np.abs(pixels[..., :3] - rgb(colour)).max(axis=2) < 0.01).sum() > 50, colour
    assert picture == scene_picture("png", both_sides(candles), candles)


def test_a_png_of_a_search_is_higher() -> None:
    candles = walk(100)
    outcome = execute(candles, [5], [9])
    picture = scene_picture("png", outcome, candles, rows=GRID, paths=[FAST, SLOW])
    assert decoded(picture).shape[:2] == (1_760, 1_600)


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


# Fans


def test_a_fan_has_a_band_for_each_pair_and_a_line_for_the_middle() -> None:
    figure = html.fan_figure(TIMES, FAN, FAN[0.5] + 1)
    names = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert names == ["5% to 95% of the paths", "25% to 75% of the paths", "median", "what happened"]
    assert [trace.fill for trace in figure.data].count("tonexty") == 2
    assert figure.data[1].y == tuple(FAN[0.95].tolist())


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

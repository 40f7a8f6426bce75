"""The catalogue asks for everything that there is, of packaged candles, and each scene trades."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from backtests.strategies import CATALOGUE
from mela.grid import plan_runs
from mela.interval import Interval
from mela.run import ENTRIES, SIZINGS, Exits
from mela.scene import Scene, parse_scene
from mela.settings import REPOSITORY
from regression.errors import NotCompared
from regression.golden import FOLDER, golden_scenes, packaged_candles, write_candles

SCENES = golden_scenes(REPOSITORY, REPOSITORY)
PARSED: list[Scene] = [parse_scene(one.document) for one in SCENES]


def test_every_strategy_has_a_scene_and_every_scene_can_be_planned() -> None:
    assert set(CATALOGUE) <= {one.strategy for one in SCENES}
    for scene in PARSED:
        assert plan_runs(scene, CATALOGUE, max_runs=100).runs > 0


def test_the_catalogue_has_what_the_engine_can_do() -> None:
    assert len({name for scene in PARSED for name in scene.instruments}) >= 4
    assert len({scene.interval for scene in PARSED}) >= 4
    assert {scene.direction for scene in PARSED} == {"long", "short", "both"}
    assert {scene.mode for scene in PARSED} == {"each", "together"}
    assert {type(scene.sizing) for scene in PARSED} == set(SIZINGS)
    assert {type(scene.entry) for scene in PARSED} == set(ENTRIES)
    used = {name for scene in PARSED for name in scene.exits.model_fields_set}
    assert used >= set(Exits.model_fields) - {"protect_from"}
    assert any(scene.validation for scene in PARSED)
    assert any(scene.holdout for scene in PARSED)
    assert {scene.engine for scene in PARSED} == {"mela", "backtrader"}
    kinds = {scene.portfolio.weights.kind for scene in PARSED if scene.portfolio}
    assert kinds == {"equal", "fixed", "inverse_volatility"}


def test_every_span_is_covered_by_packaged_candles() -> None:
    for scene in PARSED:
        for name in scene.instruments:
            opened_ms = packaged_candles(name, scene.interval).opened_ms
            assert opened_ms[0] < 1000 * scene.start.timestamp()
            assert opened_ms[-1] >= 1000 * scene.end.timestamp() - 4 * 86_400_000


def test_longer_candles_are_made_of_the_packaged_ones() -> None:
    hours, days = (packaged_candles("binance:BTCUSDT", Interval(x)) for x in ("1h", "1d"))
    first = slice(0, 24)
    assert days.open[0] == hours.open[0]
    assert days.high[0] == hours.high[first].max()
    assert days.close[0] == hours.close[23]
    weeks = packaged_candles("yahoo:SPY", Interval.W1)
    assert weeks.calendar == "XNYS"


def written(tree: Path, **scenes: str) -> Path:
    (tree / FOLDER).mkdir(parents=True)
    for name, text in scenes.items():
        (tree / FOLDER / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tree


def test_an_edited_scene_is_asked_as_it_was_too(tmp_path: Path) -> None:
    base = written(tmp_path / "b", same="a: 1", edited="a: 1", gone="a: 1")
    head = written(tmp_path / "h", same="a: 1", edited="a: 2", new="a: 1")
    found = {one.name: (one.document["a"], one.note) for one in golden_scenes(base, head)}
    assert found == {
        "same": (1, None),
        "edited": (2, None),
        "edited@BASE": (1, "edited in HEAD, here as BASE asks it"),
        "gone": (1, "removed in HEAD"),
        "new": (1, "new in HEAD"),
    }


def test_a_base_without_a_catalogue_is_asked_the_questions_of_head(tmp_path: Path) -> None:
    head = written(tmp_path / "h", one="a: 1")
    assert [one.note for one in golden_scenes(tmp_path, head)] == [None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "backtests/scenes/one.yaml is not YAML"),
        ("- a", "backtests/scenes/one.yaml must hold a scene's fields"),
        (
            yaml.safe_dump({"instruments": ["kraken:BTC/USD"], "interval": "1h"}),
            "golden scene one: no candles of kraken:BTC/USD are packaged; there are those of AAPL",
        ),
        (
            yaml.safe_dump({"instruments": ["yahoo:SPY"], "interval": "1h"}),
            "golden scene one: 1h candles are not offered",
        ),
        (yaml.safe_dump({"instruments": ["SPY"], "interval": "1d"}), "expected venue:symbol"),
    ],
)
def test_a_scene_that_cannot_be_asked_is_named(tmp_path: Path, text: str, said: str) -> None:
    tree = written(tmp_path, one=text)
    with pytest.raises(NotCompared) as raised:
        write_candles(golden_scenes(tree, tree), tmp_path)
    assert said in str(raised.value)

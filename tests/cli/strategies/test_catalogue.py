"""`mela strategies` and `mela indicators`: the lists of what there is, and of what is broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from backtests.indicators import INDICATORS
from backtests.strategies import CATALOGUE, refresh
from cli.main import app
from mela.settings import Settings
from services.strategies.all_strategies import all_strategies


def mela(*words: str) -> Any:
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose module cannot be loaded."""
    (tmp_path / "my_idea.py").write_text("import no_such_thing")
    metadata = tmp_path / "mine-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\n")
    (metadata / "entry_points.txt").write_text("[mela.strategies]\nidea = my_idea\n")
    with monkeypatch.context() as patched:
        patched.syspath_prepend(str(tmp_path))
        yield
    refresh()


def test_each_strategy_is_listed_with_its_parameters() -> None:
    done = mela("strategies")

    assert done.exit_code == 0
    for name, info in all_strategies(Settings()).items():
        assert f"{name}  {info.doc}" in done.stdout
    assert "all | any | vote" in done.stdout
    assert "≥ 2, ≤ 100000" in done.stdout


def test_schemas_describe_the_parameters() -> None:
    schemas = json.loads(mela("strategies", "--json").stdout)

    assert schemas.keys() == {*CATALOGUE, "forecast"}
    for name, schema in schemas.items():
        jsonschema.validate({"model": "models:/first/1"} if name == "forecast" else {}, schema)
    with pytest.raises(jsonschema.ValidationError, match="'model' is a required property"):
        jsonschema.validate({}, schemas["forecast"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"period": 1}, schemas["adx_trend"])


@pytest.mark.usefixtures("broken")
def test_what_is_broken_is_listed_beside_the_others() -> None:
    done = mela("strategies")

    assert done.exit_code == 0
    assert "sma_cross" in done.stdout
    assert "idea could not be loaded from package mine (entry point idea = my_idea)" in done.output
    assert "No module named 'no_such_thing'" in done.output
    assert json.loads(mela("strategies", "--json").stdout).keys() == CATALOGUE.keys()


def test_each_indicator_is_listed_with_its_lines() -> None:
    done = mela("indicators")
    listed = json.loads(mela("indicators", "--json").stdout)

    assert all(name in done.stdout for name in INDICATORS)
    assert listed.keys() == INDICATORS.keys()
    assert listed["macd"]["lines"] == dict.fromkeys(["line", "signal", "histogram"], "price change")
    assert (listed["obv"]["warmup"], listed["rsi"]["warmup"]) == (None, 280)
    assert listed["rsi"]["parameters"]["period"]["minimum"] == 2

"""One account of several instruments goes the way of single runs: Kafka, Spark, Postgres."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from mela.messages import State
from mela.result import Result
from mela.settings import Settings
from tests.conftest import typed
from tests.integration.asking import answers, publish, scene_of
from tests.integration.test_scenes import PACKAGED, without_circumstances
from warehouse.database import transaction
from warehouse.results import finder as results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
MAJORS = ["binance:BTCUSDT", "binance:ETHUSDT"]
PORTFOLIO: dict[str, Any] = {
    "weights": {"kind": "inverse_volatility", "period": 48},
    "rebalance": {"kind": "drift", "threshold": 0.03},
    "delisted": "close",
}


def test_a_portfolio_gives_the_same_numbers_with_and_without_services(
    platform: Settings, tmp_path: Path
) -> None:
    space = {"strategy.params.fast": [5, 10, 20]}
    scene = scene_of(
        instruments=MAJORS[::-1],
        mode="together",
        portfolio=PORTFOLIO,
        search={"kind": "grid", "space": space},
    )
    last = publish(scene, platform)
    assert (last.state, last.runs, last.cached) == (State.FINISHED, 3, 0)
    there = answers(scene.scene_id, platform)
    assert last.report is not None
    assert "reason" not in last.report
    best = max(there, key=lambda one: one["sharpe"])
    assert last.report["winner"]["run_key"] == best["run_key"]
    assert last.report["winner"]["instrument"] == " + ".join(MAJORS)
    statistics = last.report["statistics"]
    assert statistics["n_trials"] >= 3
    assert statistics["psr"] == pytest.approx(best["psr"], rel=1e-9)
    assert 0 <= statistics["dsr"] <= statistics["psr"]
    assert 0 <= statistics["pbo"] <= 1
    assert "several" in last.report["robustness"]["reason"]
    assert [one["instruments"] for one in there] == [MAJORS] * 3
    for one in there:
        Result.model_validate(one)
        assert (one["status"], one["portfolio"]) == ("succeeded", PORTFOLIO)
        assert one["candles_revision"] is None
        assert len(one["revisions"]) == 2

    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump(scene.model_dump(mode="json", by_alias=True)))
    files = {name: PACKAGED / f"{name.replace(':', '_')}_1h.parquet" for name in MAJORS}
    options = [f"--candles={name}={path}" for name, path in files.items()]
    done = typed("backtest", str(file), *options, "--json", home=platform.home)
    assert done.returncode == 0, done.stderr
    here = sorted(json.loads(done.stdout), key=lambda one: one["run_key"])
    ours = [without_circumstances(one) | {"revisions": None} for one in there]
    assert [without_circumstances(one) for one in here] == ours

    with transaction(platform) as connection:
        curves = [results.curve(connection, one["result_key"]) for one in there]
    for one, curve in zip(there, curves, strict=True):
        assert curve is not None
        assert (len(curve.equity), len(curve.trades)) == (one["candles"], one["trades"])
        assert curve.equity[-1] == one["final_equity"]
        assert {trade.instrument for trade in curve.trades} == set(MAJORS)

    again = scene.model_copy(update={"scene_id": uuid4(), "instruments": tuple(MAJORS)})
    assert publish(again, platform).cached == 3

"""`Client.local`: scenes in this process, asked and read as on the platform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from client import Client
from mela.errors import Conflict, InputInvalid, NotFound, SceneInvalid
from mela.settings import REPOSITORY
from tests.cli.backtested import SCENE, mela, write

NAME = SCENE["instruments"][0]
GRID = {"kind": "grid", "space": {"strategy.params.fast": [3, 4], "exits.stop_loss": [None, 0.05]}}


@pytest.fixture(scope="module")
def candles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty days of hourly candles that swing."""
    return write(tmp_path_factory.mktemp("given") / "candles.parquet")


@pytest.fixture
def client(candles: Path) -> Client:
    return Client.local({NAME: candles}, progress="none")


def test_a_scene_gives_frames_of_runs_trades_and_equity(client: Client) -> None:
    found = client.run({**SCENE, "search": GRID})
    assert found.scene.state == "finished"
    assert found.runs["rank"].tolist() == [1, 2, 3, 4]
    assert sorted(
        zip(found.runs["strategy.params.fast"], found.runs["exits.stop_loss"].isna(), strict=True)
    ) == [(3, False), (3, True), (4, False), (4, True)]
    assert found.runs["sharpe"].is_monotonic_decreasing
    best = found.best
    assert best is not None
    assert best["run_key"] == found.runs["run_key"].iloc[0]
    assert len(found.trades()) == best["trades"]
    equity = found.equity()
    assert equity["equity"].iloc[-1] == best["final_equity"]
    assert equity["drawdown"].min() == best["max_drawdown"]
    assert equity["buy_and_hold"].iloc[-1] / SCENE.get("cash", 10_000) - 1 == pytest.approx(
        best["buy_hold_return"], abs=1e-12
    )
    assert len(equity) == len(found.candles()) == 240
    assert len(found.candles(points=100)) == 80


def test_numbers_are_those_of_the_command_line(
    client: Client, candles: Path, tmp_path: Path
) -> None:
    file = tmp_path / "scene.json"
    file.write_text(json.dumps({**SCENE, "search": GRID}))
    done = mela("backtest", file, "--candles", candles, "--json")
    theirs = {one["run_key"]: one for one in json.loads(done.stdout)}
    runs = client.run(file).runs
    assert set(runs["run_key"]) == set(theirs)
    for run in runs.to_dict("records"):
        assert {name: run[name] for name in ("sharpe", "total_return", "trades")} == {
            name: theirs[run["run_key"]][name] for name in ("sharpe", "total_return", "trades")
        }


def test_candles_may_be_a_file_a_folder_or_a_frame(candles: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(candles)
    folder = tmp_path / "folder"
    folder.mkdir()
    venue, symbol = NAME.split(":")
    frame.to_csv(folder / f"{venue}_{symbol}_1h.csv", index=False)
    (folder / "README.md").write_text("nothing")
    given: list[Any] = [candles, folder, frame, {NAME: frame}, {NAME: pl.from_pandas(frame)}]
    found = [Client.local(one, progress="none").run(SCENE).runs for one in given]
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0], other, check_exact=True)


def test_what_is_wrong_with_a_scene_is_said_at_once(client: Client) -> None:
    wrong = {**SCENE, "cash": -1, "strategy": {"name": "sma_crosss"}}
    found = client.validate(wrong)
    assert not found.is_valid
    assert {fault.field for fault in found.faults} == {"cash", "strategy.name"}
    with pytest.raises(SceneInvalid) as refused:
        client.run(wrong)
    assert {one.field for one in (refused.value, *refused.value.others)} == {
        "cash",
        "strategy.name",
    }


def test_a_dry_run_counts_runs_and_names_missing_candles(client: Client) -> None:
    found = client.validate({**SCENE, "end": "2024-01-01T00:00:00Z", "search": GRID})
    assert (found.is_valid, found.runs, found.stored_runs) == (True, 4, 0)
    [missing] = found.missing_candles
    assert (missing.instrument, missing.end.year) == (NAME, 2024)
    other = client.validate({**SCENE, "instruments": [NAME, "else:WHERE"]})
    assert [(one.code, one.field) for one in other.faults] == [
        ("unknown_instrument", "instruments.1")
    ]


def test_scenes_are_listed_followed_and_found_again(client: Client) -> None:
    first = client.run(SCENE, name="the first", tags=["one"])
    second = client.publish({**SCENE, "cash": 5_000})
    assert client.scenes()["scene_id"].tolist() == [second, first.scene_id]
    assert client.scenes(tag="one")["name"].tolist() == ["the first"]
    assert client.scenes(state="planned")["scene_id"].tolist() == [second]
    states = [event.state for event in client.follow(second)]
    assert states == ["planned", "planned", "finished"]
    versions = [event.version for event in client.follow(second)]
    assert versions == [2]
    assert client.scene(str(second)).scene.recorded == 1
    with pytest.raises(Conflict, match="has ended: finished"):
        client.cancel(second)


def test_a_run_is_named_by_its_rank_or_the_beginning_of_its_key(client: Client) -> None:
    found = client.run({**SCENE, "search": GRID})
    keys = found.runs["run_key"].tolist()
    assert found.row().run_key == found.row(1).run_key == keys[0]
    assert found.row(keys[2][:20]).run_key == keys[2]
    with pytest.raises(NotFound, match="no run of rank 9"):
        found.row(9)
    with pytest.raises(NotFound, match="begins with 00000000"):
        found.row("0" * 8)
    with pytest.raises(InputInvalid, match="expected a scene's id"):
        client.result("nonsense")
    with pytest.raises(NotFound, match="in this client"):
        client.result("6aa2dc38-d809-43d9-9a25-d76384955131").scene  # noqa: B018


def test_a_picture_shows_in_a_notebook_and_is_saved(client: Client, tmp_path: Path) -> None:
    found = client.run(SCENE)
    png = found.plot()
    assert png._repr_png_() == png.save(tmp_path / "run.png").read_bytes()
    assert png.content.startswith(b"\x89PNG")
    page = found.plot(kind="html")
    assert page._repr_png_() is None
    assert "srcdoc" in (page._repr_html_() or "")


def test_strategies_of_the_users_own_are_found_by_name(candles: Path, tmp_path: Path) -> None:
    source = REPOSITORY / "backtests/strategies/sma_cross.py"
    text = source.read_text().replace("def sma_cross(", "def my_own_cross(")
    (tmp_path / "mine.py").write_text(text)
    client = Client.local({NAME: candles}, strategies=tmp_path / "mine.py", progress="none")
    assert "my_own_cross" in client.strategies()["name"].tolist()
    assert "def my_own_cross(" in client.strategy("my_own_cross").source
    found = client.run({**SCENE, "strategy": {**SCENE["strategy"], "name": "my_own_cross"}})
    assert found.runs["status"].tolist() == ["succeeded"]
    with pytest.raises(NotFound, match=r"no strategy is called 'my_own_cros'"):
        client.strategy("my_own_cros")


def test_candles_that_were_given_are_listed_and_read(client: Client) -> None:
    [series] = client.series().to_dict("records")
    assert (series["instrument"], series["interval"]) == (NAME, "1h")
    whole = client.candles(NAME, "1h")
    assert len(whole) == 480
    day = client.candles(NAME, "1h", start="2023-01-02", end="2023-01-03")
    assert len(day) == 24
    with pytest.raises(NotFound, match="there are no 1d candles"):
        client.candles(NAME, "1d")
    with pytest.raises(InputInvalid, match="expected one of"):
        client.candles(NAME, "7h")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nowhere.parquet", "there is no file nowhere.parquet"),
        ({"BTC": "x.parquet"}, "expected instruments as venue:symbol, but found 'BTC'"),
        (7, "expected a folder, a file or a frame of candles, but found int"),
    ],
)
def test_candles_that_cannot_be_given_are_refused(given: Any, said: str) -> None:
    with pytest.raises(InputInvalid, match=said):
        Client.local(given)


def test_progress_is_a_line_of_text_where_there_is_no_terminal(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Client.local({NAME: candles}, progress="text").run(SCENE)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("finished: 1 of 1 runs, best ")
    Client.local({NAME: candles}, progress="bar").run(SCENE)
    assert "1/1" in capsys.readouterr().err


def test_runs_of_one_client_are_compared(client: Client) -> None:
    grid = client.run({**SCENE, "search": GRID})
    other = client.run({**SCENE, "costs": {"fee": 0.0}})
    found = client.compare(scenes=[grid.scene_id, other.scene_id])
    assert [side.scene_id for side in found.runs] == [grid.scene_id, other.scene_id]
    assert "costs.fee" in [one.path for one in found.differences]
    assert len(found.curves.t) == len(found.curves.values[0]) > 0
    with pytest.raises(InputInvalid, match="expected 2 to 10 different runs, but found 1"):
        client.compare(scenes=[grid.scene_id])

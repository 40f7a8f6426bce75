"""The Python client on the running platform: the same answers as in process, through cuts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

from client import Client, remote
from mela.errors import (
    Conflict,
    InputInvalid,
    NotAllowed,
    NotFound,
    NotSignedIn,
    SceneInvalid,
    SourceUnavailable,
)
from mela.settings import REPOSITORY, Settings
from services.accounts.accounts import Role, Scope
from tests.client.api_clients import client_of, token_of, wire
from tests.client.page import run_block
from tests.integration.asking import CASH, ONE, grid

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def token(platform: Settings) -> str:
    return token_of(platform, Role.TRADER, Scope.READ, Scope.WRITE)


@pytest.fixture
def client(platform: Settings, token: str) -> Iterator[Client]:
    with client_of(platform, token) as found:
        yield found


def asked(**change: Any) -> dict[str, Any]:
    """Return a scene that nobody asked before."""
    return {**ONE, "cash": next(CASH) + 0.25, **change}


@pytest.mark.parametrize(
    "change",
    [
        {
            "search": {
                "kind": "grid",
                "space": {"strategy.params.fast": [5, 10, 60], "exits.stop_loss": [None, 0.02]},
            }
        },
        {"instruments": ["binance:BTCUSDT", "binance:ETHUSDT"], "costs": {"fee": 0.002}},
        {"instruments": ["binance:BTCUSDT", "binance:ETHUSDT"], "mode": "together"},
        {"search": grid(3, 3), "validation": {"train": "20d", "test": "10d"}},
    ],
    ids=["grid", "each", "together", "walk-forward"],
)
def test_a_scene_gives_the_same_frames_over_the_api_and_in_process(
    client: Client, change: dict[str, Any]
) -> None:
    scene = asked(**change)
    far = client.run(scene)
    near = Client.local(REPOSITORY / "replay/data", progress="none").run(scene)
    pd.testing.assert_frame_equal(far.runs, near.runs, check_exact=True)
    assert len(far.runs) == far.scene.runs > 0
    for name in ("trades", "equity", "candles"):
        own, other = getattr(far, name)(), getattr(near, name)()
        pd.testing.assert_frame_equal(own, other, check_exact=True)
        assert len(own) > 0
    pd.testing.assert_series_equal(far.best, near.best, check_exact=True)


def test_runs_are_compared_over_the_api_as_in_process(client: Client) -> None:
    scene = asked(search=grid(2, 1))
    local = Client.local(REPOSITORY / "replay/data", progress="none")
    keys = client.run(scene).runs["run_key"].tolist()
    local.run(scene)
    far, near = client.compare(runs=keys), local.compare(runs=keys)
    told = {"differences", "metrics", "curves", "first_differing_trade"}
    assert far.model_dump(include=told) == near.model_dump(include=told)
    assert [one.path for one in far.differences] == ["strategy.params.fast"]


def test_a_picture_is_drawn_from_what_the_api_gives(client: Client) -> None:
    found = client.run(asked())
    assert found.plot().content.startswith(b"\x89PNG")
    page = found.plot(kind="html").content.decode()
    assert "sma_cross(fast=10, slow=50)" in page
    assert "buy & hold" in page


def test_candles_come_whole_in_parts_and_equal_those_of_the_file(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "CANDLES_A_PART", 500)
    far = client.candles("binance:BTCUSDT", "1h", start="2023-01-01", end="2023-03-01")
    near = Client.local(REPOSITORY / "replay/data").candles(
        "binance:BTCUSDT", "1h", start="2023-01-01", end="2023-03-01"
    )
    pd.testing.assert_frame_equal(far, near, check_exact=True)
    with pytest.raises(NotFound, match="there are no 1m candles of binance:BTCUSDT"):
        client.candles("binance:BTCUSDT", "1m")


def test_a_scene_is_published_once_where_the_answer_was_lost(
    platform: Settings, token: str
) -> None:
    name = f"lost answer {uuid4()}"
    with (
        wire(platform.api.url, eats=b"POST /api/v1/scenes ", eaten=2) as way,
        client_of(platform, token, way.url) as client,
    ):
        found = client.run(asked(), name=name)
        assert way.left == 0
        assert found.runs["status"].tolist() == ["succeeded"]
        assert client.scenes(text=name)["scene_id"].tolist() == [found.scene_id]


def test_a_stream_that_is_cut_again_and_again_is_followed_to_the_end(
    platform: Settings, token: str
) -> None:
    stop = threading.Event()
    with (
        wire(platform.api.url) as way,
        client_of(platform, token, way.url) as client,
    ):
        scene_id = client.publish(asked(search=grid(12, 12)))

        def cut() -> None:
            while not stop.wait(0.3):
                way.cut()

        cutter = threading.Thread(target=cut)
        cutter.start()
        try:
            seen = list(client.follow(scene_id))
        finally:
            stop.set()
            cutter.join()
        assert way.connections > 2
    versions = [event.version for event in seen]
    assert versions == sorted(set(versions))
    assert (seen[-1].state, seen[-1].recorded) == ("finished", 144)


def test_following_ends_after_the_time_that_somebody_waits(client: Client) -> None:
    scene_id = client.publish(asked(search=grid(30, 30)))
    events = list(client.follow(scene_id, wait_s=0.5))
    assert events
    assert events[-1].state != "finished", "it waited for the scene"
    client.wait(scene_id)


def test_what_is_wrong_comes_as_the_errors_of_mela(
    platform: Settings, client: Client, token: str
) -> None:
    with pytest.raises(SceneInvalid) as refused:
        client.run(asked(cash=-1, interval="7h"))
    faults = (refused.value, *refused.value.others)
    assert {(one.code, one.field) for one in faults} == {
        ("invalid_field", "cash"),
        ("invalid_field", "interval"),
    }
    nowhere = uuid4()
    for ask in (
        lambda: client.result(nowhere).runs,
        lambda: client.wait(nowhere),
        lambda: client.cancel(nowhere),
    ):
        with pytest.raises(NotFound, match=str(nowhere)):
            ask()
    done = client.run(asked())
    with pytest.raises(Conflict):
        client.cancel(done.scene_id)
    with pytest.raises(InputInvalid):
        client.compare(scenes=[done.scene_id])
    with client_of(platform, f"{token}x") as stranger, pytest.raises(NotSignedIn):
        stranger.scenes()
    with client_of(platform, token_of(platform, Role.TRADER, Scope.READ)) as reader:
        assert len(reader.scenes(limit=1)) == 1
        with pytest.raises(NotAllowed, match="scope write"):
            reader.publish(asked())


@pytest.fixture
def other(platform: Settings) -> Iterator[Client]:
    with client_of(platform, token_of(platform, Role.TRADER, Scope.READ)) as found:
        yield found


def test_private_scenes_of_others_are_not_there(client: Client, other: Client) -> None:
    mine = client.run(asked(), is_private=True, name=f"private {uuid4()}")
    assert mine.scene.is_private
    run_key = mine.row().run_key
    for ask in (
        lambda: other.result(mine.scene_id).runs,
        lambda: other.wait(mine.scene_id),
        lambda: other.platform.curve(run_key),
        lambda: other.compare(runs=[run_key, run_key[::-1]]),
    ):
        with pytest.raises(NotFound):
            ask()
    assert mine.scene_id not in other.scenes(limit=200)["scene_id"].tolist()


def test_an_api_that_is_away_is_asked_again_and_then_said_to_be_away(platform: Settings) -> None:
    with wire(platform.api.url) as way:
        pass
    began = time.monotonic()
    with (
        Client(way.url, "mela_x", progress="none", patience_s=1.5) as away,
        pytest.raises(SourceUnavailable, match="does not answer"),
    ):
        away.scenes()
    assert 0.5 < time.monotonic() - began < 60
    with pytest.raises(InputInvalid, match="must not travel in the clear"):
        Client("http://mela.example", "mela_x")


def test_the_pages_program_runs_on_the_platform(
    platform: Settings, token: str, tmp_path: Path
) -> None:
    env = {"MELA_API__URL": platform.api.url, "MELA_API__TOKEN": token}
    first, second, *_ = run_block(1, tmp_path, env).splitlines()
    assert "finished, 1 of 1 runs, best sharpe" in first
    assert second.split() == ["rank", "status", "sharpe", "total_return"]

"""`mela restate` and the options of `mela replay`, as a user types them."""

import json
import socket
import subprocess
import sys
import time

import pytest
import requests
from typer.testing import CliRunner

from cli.main import app
from mela.interval import Interval
from replay import create_server
from sources.binance import BinanceSource
from tests.sources.conftest import at

RUNNER = CliRunner()
CANDLE = ["restate", "binance:BTCUSDT", "--interval", "1h", "--at", "2024-01-01T00:00Z"]


def test_a_candle_is_restated_and_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with create_server() as server:
        monkeypatch.setenv("MELA_REPLAY_URL", server.url)
        span = ("BTCUSDT", Interval.H1, at("2024-01-01"), at("2024-01-01T02:00"))
        before = BinanceSource(server.url).fetch(*span).close.tolist()
        said = RUNNER.invoke(app, [*CANDLE, "--close", "42400"])
        assert said.exit_code == 0, said.output
        after = BinanceSource(server.url).fetch(*span).close.tolist()
    assert after == [42_400.0, before[1]] != before


def test_a_value_that_is_no_candle_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with create_server() as server:
        monkeypatch.setenv("MELA_REPLAY_URL", server.url)
        said = RUNNER.invoke(app, [*CANDLE, "--close", "1"])
    assert said.exit_code == 1
    assert "say high or low too" in " ".join(said.output.split())


def test_without_a_replay_nothing_is_restated(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MELA_REPLAY_URL", f"http://127.0.0.1:{port}")
    said = RUNNER.invoke(app, [*CANDLE, "--close", "42400"])
    assert said.exit_code == 1
    assert "no replay answers" in " ".join(said.output.split())


def test_trouble_is_ordered_on_the_command_line() -> None:
    fault = {"path": "/api/v3/time", "status": 429, "headers": {"Retry-After": "5"}, "body": "{}"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "cli.main", "replay", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--fault", json.dumps(fault)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        answers = [_asked(f"http://127.0.0.1:{port}/api/v3/{path}") for path in ("ping", "time")]
        again = requests.get(f"http://127.0.0.1:{port}/api/v3/time", timeout=10)
    finally:
        process.terminate()
        process.wait(10)
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["Retry-After"] == "5"
    assert again.status_code == 200
    wrong = RUNNER.invoke(app, ["replay", "--fault", "{}"])
    assert wrong.exit_code == 1
    assert "--fault expects JSON with path and status" in " ".join(wrong.output.split())


def _asked(url: str) -> requests.Response:
    for _ in range(300):
        try:
            return requests.get(url, timeout=10)
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(f"{url} never answered")

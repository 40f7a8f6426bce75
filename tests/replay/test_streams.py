"""replay.streams: the websockets of alpaca-py and python-binance, driven by these libraries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import requests

from live.alpaca_library import CryptoDataStream
from live.binance_library import AsyncClient, BinanceSocketManager

FROM = "2024-01-01T00:00:00+00:00"
FROM_MS = 1_704_067_200_000
MINUTE = 60_000


def order(server, what: str, /, **document: Any) -> dict[str, Any]:
    answer = requests.post(f"{server.url}/replay/{what}", json=document, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def playing(replay):
    server = replay()
    order(server, "play", **{"from": FROM, "speed": 1000})
    return server


@asynccontextmanager
async def binance(server, streams: list[str]) -> AsyncIterator[Any]:

    local = type(
        "Local", (BinanceSocketManager,), {"STREAM_URL": f"{server.url}/".replace("http", "ws")}
    )
    client = AsyncClient()
    socket = local(client, max_queue_size=10_000).multiplex_socket(streams)
    socket.TIMEOUT = 0.2
    socket.MAX_RECONNECTS = 0
    try:
        async with socket:
            yield socket
    finally:
        await client.close_connection()


async def closed(socket: Any, many: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < many:
        event = await asyncio.wait_for(socket.recv(), 10)
        assert event.get("e") != "error", event
        if event["data"]["k"]["x"]:
            found.append(event["data"]["k"])
    return found


def test_python_binance_hears_each_minute_close_once_and_in_order(playing) -> None:
    async def hear() -> list[dict[str, Any]]:
        async with binance(playing, ["btcusdt@kline_1m"]) as socket:
            return await closed(socket, 5)

    klines = asyncio.run(hear())
    opens = [kline["t"] for kline in klines]
    assert opens == list(range(opens[0], opens[0] + 5 * MINUTE, MINUTE))
    rest = requests.get(
        f"{playing.url}/api/v3/klines",
        params={"symbol": "BTCUSDT", "interval": "1m", "startTime": opens[0], "limit": 5},
        timeout=10,
    ).json()
    assert [[k[name] for name in ("t", "o", "h", "l", "c", "v", "T")] for k in klines] == [
        row[:7] for row in rest
    ]


async def hear_bars(
    server, many: int, *symbols: str, seconds: float = 10.0
) -> list[dict[str, Any]]:
    url = f"{server.url.replace('http', 'ws')}/alpaca/stream/v1beta3/crypto/us"
    stream = CryptoDataStream("key", "secret", raw_data=True, url_override=url)
    found: list[dict[str, Any]] = []

    async def hear(bar: dict[str, Any]) -> None:
        found.append(bar)

    stream.subscribe_bars(hear, *symbols)
    stream.subscribe_updated_bars(hear, *symbols)
    task = asyncio.create_task(stream._run_forever())
    for _ in range(int(seconds / 0.02)):
        if len(found) >= many or task.done():
            break
        await asyncio.sleep(0.02)
    await stream.stop_ws()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await stream.close()
    return found


def test_alpaca_py_hears_each_minute_as_msgpack(playing) -> None:
    bars = asyncio.run(hear_bars(playing, 4, "BTC/USDT", "ETH/USDT"))
    assert {bar["S"] for bar in bars} == {"BTC/USDT", "ETH/USDT"}
    assert {bar["T"] for bar in bars} == {"b"}
    first = next(bar for bar in bars if bar["S"] == "BTC/USDT")
    opened_ms = int(first["t"].to_unix() * 1000)
    assert opened_ms % MINUTE == 0
    rest = requests.get(
        f"{playing.url}/alpaca/v1beta3/crypto/us/bars",
        params={
            "symbols": "BTC/USDT",
            "timeframe": "1Min",
            "start": first["t"].to_datetime().isoformat(),
            "limit": 1,
        },
        timeout=10,
    ).json()["bars"]["BTC/USDT"][0]
    assert {name: first[name] for name in "ohlcv"} == {name: rest[name] for name in "ohlcv"}

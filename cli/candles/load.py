"""`mela ingest`, `mela replay`, `mela restate`: load candles, and serve them for work offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli import completion
from cli.choices import interval_option
from cli.console import err, explains, fail, out
from cli.instants import instant, span
from cli.panels import CANDLES
from mela.instrument import parse_name
from mela.interval import Interval
from mela.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (ingest, replay, restate):
        app.command(rich_help_panel=CANDLES)(command)


@explains
def ingest(
    instrument: Annotated[
        str,
        typer.Argument(
            help="venue:symbol, as binance:BTCUSDT, kraken:BTC/USD",
            autocompletion=completion.instruments,
        ),
    ],
    interval: Annotated[Interval, interval_option("A candle's length.")],
    start: Annotated[str, typer.Option("--from", help="First candle, UTC: 2022-01-01")],
    end: Annotated[str, typer.Option("--to", help="End, not included, UTC: 2024-01-01")],
) -> None:
    """Load candles of one instrument into the warehouse, with the code that Airflow runs.

    Loading again is safe: candles that have not changed stay as they are. Venues: binance, yahoo,
    alpaca, and any exchange by the id that ccxt gives it. Example:
    mela ingest binance:BTCUSDT --interval 1h --from 2022-01-01 --to 2024-01-01
    """
    from services.candles.storage import load_candles

    report = load_candles(instrument, interval, *span(start, end), Settings())
    out.print(
        f"{instrument} {interval}: {report.inserted:,} inserted, {report.updated:,} updated, "
        f"{report.unchanged:,} unchanged, {report.rejected:,} rejected "
        f"(from the {report.origin}, load batch {report.batch_id})"
    )
    if not report.inserted + report.updated + report.unchanged:
        err.print(f"{instrument} has no closed {interval} candles in that span.", style="yellow")


@explains
def replay(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8765,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="A folder of Parquet files to serve instead."
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help='A fault to serve, as {"path": "/api/v3/klines", "status": 429, "times": 3, '
            '"headers": {"Retry-After": "5"}}. May be repeated.'
        ),
    ] = None,
    any_age: Annotated[
        bool, typer.Option(help="Let Yahoo serve intraday candles of any age.")
    ] = False,
    play_from: Annotated[
        str | None,
        typer.Option(help="Let the clock run from this instant, UTC, for websockets: 2024-01-01."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, max=1000, help="Speed: 60 is a minute a second.")
    ] = 1.0,
    state: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="A file that keeps orders and clock over a restart."),
    ] = None,
    host: Annotated[
        str, typer.Option(hidden=True, help="Address to listen on: another one in containers.")
    ] = "127.0.0.1",
) -> None:
    """Serve real candles on loopback in the services' own formats, for work without internet.

    `export MELA_REPLAY_URL=http://127.0.0.1:8765` makes all market-data clients use it.
    """
    from replay import Fault, serve

    try:
        faults = [Fault(**orjson.loads(text)) for text in fault or ()]
    except (ValueError, TypeError) as error:
        raise fail(f"--fault expects JSON with path and status: {error}.") from error
    err.print(f"serving {data or 'the packaged candles'}; stop with Ctrl-C")
    begins = None if play_from is None else instant(play_from, "--play-from")
    serve(
        port,
        data,
        host,
        faults=faults,
        any_age=any_age,
        state=state,
        play_from=begins,
        speed=speed,
    )


@explains
def restate(
    instrument: Annotated[str, typer.Argument(help="venue:symbol, as binance:BTCUSDT")],
    interval: Annotated[Interval, interval_option("The candle's length.")],
    at: Annotated[str, typer.Option(help="When it opened, UTC: 2024-01-01T00:00Z")],
    open_: Annotated[float | None, typer.Option("--open")] = None,
    high: Annotated[float | None, typer.Option()] = None,
    low: Annotated[float | None, typer.Option()] = None,
    close: Annotated[float | None, typer.Option()] = None,
    volume: Annotated[float | None, typer.Option()] = None,
) -> None:
    """Change a candle that a running `mela replay` serves, as vendors sometimes do.

    Stored candles do not change until `mela ingest` asks for them again. The replay forgets the
    change when it stops. Example: mela restate binance:BTCUSDT --interval 1h
    --at 2024-01-01T00:00Z --close 42000
    """
    import requests

    url = Settings().replay_url
    if url is None:
        raise fail("no replay is set; start `mela replay` and set MELA_REPLAY_URL to its address.")
    try:
        _, symbol = parse_name(instrument)
    except ValueError as error:
        raise fail(f"{error}.") from error
    values = {"open": open_, "high": high, "low": low, "close": close, "volume": volume}
    changed: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    candle = {"symbol": symbol, "interval": interval.value, "opened_at": instant(at, "--at")}
    try:
        answer = requests.post(
            f"{url.rstrip('/')}/replay/restate",
            data=orjson.dumps(candle | changed),
            headers={"Content-Type": "application/json"},
            timeout=10,
        )
    except requests.RequestException as error:
        raise fail(f"no replay answers at {url}: {error}.") from error
    if answer.status_code != 200:
        raise fail(f"the replay did not restate it: {answer.text}")
    out.print(f"{instrument} {interval} at {at} now has {changed}; ask for it with mela ingest")

"""`mela ingest`, `mela replay`, `mela restate`: candles to load, and a server to ask offline."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli.console import err, explains, fail, out
from mela.instrument import parse_name
from mela.interval import Interval
from mela.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(ingest)
    app.command()(replay)
    app.command()(restate)


@explains
def ingest(
    instrument: Annotated[
        str, typer.Argument(help="venue:symbol, as binance:BTCUSDT, kraken:BTC/USD")
    ],
    interval: Annotated[Interval, typer.Option(help="A candle's length.")],
    start: Annotated[str, typer.Option("--from", help="First candle, UTC: 2022-01-01")],
    end: Annotated[str, typer.Option("--to", help="End, not included, UTC: 2024-01-01")],
) -> None:
    """Load candles of one instrument into the warehouse, without Airflow but by the same code.

    Safe to repeat: what is stored and unchanged stays. Venues: binance, yahoo, alpaca, and any
    exchange by ccxt's id. Example:
    mela ingest binance:BTCUSDT --interval 1h --from 2022-01-01 --to 2024-01-01
    """
    from warehouse.ingestion.ingest import ingest as load

    try:
        parse_name(instrument)
    except ValueError as error:
        raise fail(f"{error}.") from error
    first, last = instant(start, "--from"), instant(end, "--to")
    if last <= first:
        raise fail(f"--to must be after --from, but {end} is not after {start}.")
    report = load(instrument, interval, first, last, Settings())
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
            exists=True, file_okay=False, help="A folder of Parquet files instead of the packaged."
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help='Trouble to come, as {"path": "/api/v3/klines", "status": 429, "times": 3, '
            '"headers": {"Retry-After": "5"}}. May be repeated.'
        ),
    ] = None,
    any_age: Annotated[
        bool, typer.Option(help="Let Yahoo give intraday candles however old they are.")
    ] = False,
) -> None:
    """Serve real candles as the services would, on loopback, for work without internet.

    `export MELA_REPLAY_URL=http://127.0.0.1:8765` points all market-data clients at it.
    """
    from replay import Fault, serve

    try:
        faults = [Fault(**orjson.loads(text)) for text in fault or ()]
    except (ValueError, TypeError) as error:
        raise fail(f"--fault expects JSON with path and status: {error}.") from error
    err.print(f"serving {data or 'the packaged candles'}; stop with Ctrl-C")
    serve(port, data, faults=faults, any_age=any_age)


@explains
def restate(
    instrument: Annotated[str, typer.Argument(help="venue:symbol, as binance:BTCUSDT")],
    interval: Annotated[Interval, typer.Option(help="The candle's length.")],
    at: Annotated[str, typer.Option(help="When it opened, UTC: 2024-01-01T00:00Z")],
    open_: Annotated[float | None, typer.Option("--open")] = None,
    high: Annotated[float | None, typer.Option()] = None,
    low: Annotated[float | None, typer.Option()] = None,
    close: Annotated[float | None, typer.Option()] = None,
    volume: Annotated[float | None, typer.Option()] = None,
) -> None:
    """Let the running `mela replay` tell another value for a candle, as vendors at times do.

    What is stored does not change until it is asked again: `mela ingest`. The replay forgets it
    when it stops. Example: mela restate binance:BTCUSDT --interval 1h --at 2024-01-01T00:00Z
    --close 42000
    """
    import requests

    url = Settings().replay_url
    if url is None:
        raise fail("no replay is asked here; start `mela replay` and set MELA_REPLAY_URL.")
    try:
        _, symbol = parse_name(instrument)
    except ValueError as error:
        raise fail(f"{error}.") from error
    values = {"open": open_, "high": high, "low": low, "close": close, "volume": volume}
    said: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    asked = {"symbol": symbol, "interval": interval.value, "opened_at": instant(at, "--at")} | said
    try:
        answer = requests.post(
            f"{url.rstrip('/')}/replay/restate",
            data=orjson.dumps(asked),
            headers={"Content-Type": "application/json"},
            timeout=10,
        )
    except requests.RequestException as error:
        raise fail(f"no replay answers at {url}: {error}.") from error
    if answer.status_code != 200:
        raise fail(f"the replay did not restate it: {answer.text}")
    out.print(f"{instrument} {interval} at {at} now has {said}; ask for it with mela ingest")


def instant(text: str, option: str) -> datetime:
    """Return an instant from the command line; a day means its 00:00 UTC, a time needs its zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise fail(
            f"{option} expects a day or an instant, as 2022-01-01, but found {text!r}."
        ) from error
    if at.tzinfo is None:
        if len(text) > len("2022-01-01"):
            raise fail(f"{option} needs a zone with its time, as {text}Z.")
        at = at.replace(tzinfo=UTC)
    return at.astimezone(UTC)

"""`mela ingest` and `mela replay`: candles into the warehouse, and a server to ask offline."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.console import err, explains, fail, out
from mela.instrument import parse_name
from mela.interval import Interval
from mela.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(ingest)
    app.command()(replay)


@explains
def ingest(
    instrument: Annotated[str, typer.Argument(help="venue:symbol, as binance:BTCUSDT")],
    interval: Annotated[Interval, typer.Option(help="A candle's length.")],
    start: Annotated[str, typer.Option("--from", help="First candle, UTC: 2022-01-01")],
    end: Annotated[str, typer.Option("--to", help="End, not included, UTC: 2024-01-01")],
) -> None:
    """Load candles of one instrument into the warehouse, without Airflow but by the same code.

    Safe to repeat: what is stored and unchanged stays. Example:
    mela ingest binance:BTCUSDT --interval 1h --from 2022-01-01 --to 2024-01-01
    """
    from warehouse.ingest import ingest as load

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
) -> None:
    """Serve real candles as Binance and Yahoo would, on loopback, for work without internet.

    `export MELA_REPLAY_URL=http://127.0.0.1:8765` points all market-data clients at it.
    """
    from sources.replay import serve

    err.print(f"serving {data or 'the packaged candles'}; stop with Ctrl-C")
    serve(port, data)


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

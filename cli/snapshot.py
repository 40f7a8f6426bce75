"""`mela snapshot`: candles as Parquet files, for clusters and for other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import explains, fail, out
from mela.interval import Interval
from mela.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(snapshot)


@explains
def snapshot(
    to: Annotated[str, typer.Option(help="A folder, or s3://bucket/path.")],
    instrument: Annotated[
        list[str] | None, typer.Option(help="venue:symbol; again for more. All without it.")
    ] = None,
    interval: Annotated[
        list[Interval] | None, typer.Option(help="A candle's length; again for more.")
    ] = None,
) -> None:
    """Write candles as Parquet files that runs can read instead of the warehouse.

    Safe to repeat: what did not change is not written again, and series that are not asked for
    stay. `MELA_CANDLES=DIR` makes the streaming job read them. Example:
    mela snapshot --instrument binance:BTCUSDT --interval 1h --to s3://candles/today
    """
    from warehouse.candles.snapshot import write_snapshot

    try:
        report = write_snapshot(
            Settings(),
            to,
            instruments=instrument or None,
            intervals=[one.value for one in interval] if interval else None,
        )
    except ValueError as error:
        raise fail(f"{error}.") from error
    out.print(
        f"{report.address}: {report.candles:,} candles of {report.series} series "
        f"({report.unchanged} unchanged, {report.bytes / 1e6:,.1f} MB written; {report.kept} more "
        "series were there and stay)"
    )

"""`mela snapshot`: write candles as Parquet files, for clusters and for other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.choices import interval_option
from cli.console import explains, out
from cli.panels import CANDLES
from mela.counts import counted
from mela.interval import Interval
from mela.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=CANDLES)(snapshot)


@explains
def snapshot(
    to: Annotated[str, typer.Option(help="A folder, or s3://bucket/path.")],
    instrument: Annotated[
        list[str] | None, typer.Option(help="venue:symbol; repeatable. Without it: all.")
    ] = None,
    interval: Annotated[
        list[Interval] | None,
        interval_option("A candle's length; repeatable. Without it: all."),
    ] = None,
) -> None:
    """Write candles as Parquet files that runs can read instead of the warehouse.

    Repeating it is safe: unchanged files are not written again, and files of other series stay.
    `MELA_CANDLES=DIR` makes the streaming job read them. Example:
    mela snapshot --instrument binance:BTCUSDT --interval 1h --to s3://candles/today
    """
    from services.candles.storage import snapshot_candles

    report = snapshot_candles(
        to,
        Settings(),
        instruments=instrument or None,
        intervals=[one.value for one in interval] if interval else None,
    )
    out.print(
        f"{report.address}: {counted(report.candles, 'candle')} of {report.series} series "
        f"({report.unchanged} unchanged, {report.bytes / 1e6:,.1f} MB written; {report.kept} other "
        "series stay)"
    )

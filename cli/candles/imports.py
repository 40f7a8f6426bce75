"""`mela import`, `mela instrument`: files into the warehouse, what is known of instruments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.candles.candle_file import (
    CANDLES_HELP,
    COLUMNS_HELP,
    TIMEZONE_HELP,
    WRONG_FILE,
    read_options,
)
from cli.candles.fact_options import NO_FACTS, OF_ONE, Facts, takes_facts
from cli.candles.quality import SHOWN, show_quality
from cli.choices import interval_option
from cli.console import err, explains, fail, out
from cli.panels import CANDLES
from mela.counts import counted
from mela.errors import CandlesInvalid
from mela.instrument import FACTS, Instrument
from mela.interval import Interval
from mela.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import", rich_help_panel=CANDLES)(import_candles)
    app.command(rich_help_panel=CANDLES)(instrument)


@explains
@takes_facts(OF_ONE)
def import_candles(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help=CANDLES_HELP)
    ],
    instrument: Annotated[
        str,
        typer.Option(help="source:symbol, the source a name of your own, as my:AAPL or desk:BUND."),
    ],
    interval: Annotated[
        Interval | None,
        interval_option("A candle's length; else what the file shows."),
    ] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help=TIMEZONE_HELP)] = None,
    columns: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=NAME,…", help=COLUMNS_HELP)
    ] = None,
    facts: Facts = NO_FACTS,
) -> None:
    """Bring a candle file into the warehouse, so that scenes on the platform can use it.

    Importing again is safe: candles that have not changed stay as they are, others supersede them.
    Example: mela import days.csv --instrument my:ACME --interval 1d --calendar XNYS --quote USD
    """
    options = read_options(timezone, columns, facts)
    from services.candles.imports import import_file

    try:
        done = import_file(file, instrument, interval, Settings(), options)
    except CandlesInvalid as error:
        raise fail(str(error), WRONG_FILE) from error
    for note in done.notes:
        err.print(note, markup=False)
    if done.unfinished:
        left_out = counted(done.unfinished, "candle")
        err.print(f"left out, as not closed yet: {left_out} at the end")
    load = done.load
    out.print(
        f"{load.instrument} {load.interval}: {load.inserted:,} inserted, {load.updated:,} updated, "
        f"{load.unchanged:,} unchanged (from {file.name}, load batch {load.batch_id})"
    )
    show_quality(done.checks, done.findings, SHOWN)


@explains
@takes_facts(OF_ONE)
def instrument(
    name: Annotated[str, typer.Argument(help="venue:symbol, loaded once before")],
    facts: Facts = NO_FACTS,
) -> None:
    """Print what is known of an instrument and who said so; with options, tell it.

    Facts that you tell win over those of services and over inferred ones. Example:
    mela instrument my:ACME --calendar XLON --quote GBp
    """
    stated = read_options(None, None, facts).facts.get("", {})
    from services.candles.instruments import known_instrument, tell_instrument

    settings = Settings()
    known = tell_instrument(name, stated, settings) if stated else known_instrument(name, settings)
    out.print(_facts_table(known))


def _facts_table(known: Instrument) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, title=known.name)
    for column in ("fact", "value", "known", "since"):
        table.add_column(column, no_wrap=True)
    for fact in FACTS:
        value = getattr(known, fact)
        if value is None:
            table.add_row(fact, "", "unknown", "")
            continue
        origin = known.origin(fact)
        since = f"{origin.at:%Y-%m-%d}" if origin.at else ""
        table.add_row(fact, str(value), f"{origin.how}: {origin.source}", since)
    return table

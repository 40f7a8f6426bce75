"""`mela quality`: find faults in stored candles, and ask again for gaps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli import completion
from cli.choices import interval_option
from cli.console import err, explains, out
from cli.instants import instant
from cli.panels import CANDLES
from mela.counts import counted
from mela.interval import Interval
from mela.run import instant_text
from mela.settings import Settings

if TYPE_CHECKING:
    from services.candles.quality import Quality
    from warehouse.quality import Check, Finding, RepairReport

SHOWN = 40
COLOURS = {"error": "red", "warning": "yellow", "info": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=CANDLES)(quality)


@explains
def quality(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INSTRUMENT]…",
            help="Without any: every series that was loaded.",
            autocompletion=completion.instruments,
        ),
    ] = None,
    interval: Annotated[
        Interval | None,
        interval_option("A candle's length. Without it: all."),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="First candle, UTC.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End, not included, UTC.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Ask the source again for missing candles.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Print all findings, not the first {SHOWN}.")
    ] = False,
) -> None:
    """Check stored candles: gaps by the market's calendar, outliers, and feeds that stopped.

    Findings stay in the warehouse until they are repaired. Exit 1 if an error is open. `--repair`
    asks for gaps again and confirms those that no source can fill; no candle is invented.
    Example: mela quality binance:BTCUSDT --interval 1h --repair
    """
    from services.candles.quality import check_candles

    found = check_candles(
        Settings(),
        instruments=names or (),
        interval=interval,
        start=instant(start, "--from") if start else None,
        end=instant(end, "--to") if end else None,
        repair=repair,
    )
    if as_json:
        print(json.dumps(_document(found), indent=2))
    else:
        show_quality(found.checks, found.findings, None if everything else SHOWN)
        if found.repair is not None:
            _show_repair(found.repair)
    if not found.ok:
        raise typer.Exit(1)


def show_quality(checks: Sequence[Check], findings: Sequence[Finding], most: int | None) -> None:
    """Print checks as a table, and the worst findings beneath it."""
    if not checks:
        err.print("no candles are stored, and none are watched.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("instrument", "interval", "from", "to"):
        table.add_column(name, no_wrap=True)
    for name in ("candles", "expected", "errors", "warnings", "notes", "confirmed"):
        table.add_column(name, justify="right", no_wrap=True)
    for check in checks:
        own = [
            f for f in findings if (f.instrument, f.interval) == (check.instrument, check.interval)
        ]
        count = Counter(f.severity for f in own if f.state == "open")
        confirmed = sum(f.state == "confirmed" for f in own)
        table.add_row(
            *(check.instrument, check.interval.value, _day(check.span_start), _to(check)),
            *(f"{check.candles:,}", f"{check.expected:,}"),
            *(_count(count[name], COLOURS[name]) for name in ("error", "warning", "info")),
            _count(confirmed, "dim"),
        )
    out.print(table)
    worst = sorted(findings, key=lambda f: (f.state != "open", list(COLOURS).index(f.severity)))
    if worst:
        out.print(_findings_table(worst[:most]))
    if most is not None and len(worst) > most:
        err.print(f"and {len(worst) - most:,} more: --all prints them, --json too")


def _findings_table(findings: Sequence[Finding]) -> Table:
    table = Table(title="\nfindings", title_justify="left", box=None, pad_edge=False)
    for name in ("severity", "kind", "series", "first", "last"):
        table.add_column(name, no_wrap=True)
    table.add_column("candles", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("detail")
    for one in findings:
        colour = COLOURS[one.severity] if one.state == "open" else "dim"
        table.add_row(
            f"[{colour}]{one.severity}[/]",
            *(one.kind, f"{one.instrument} {one.interval}"),
            *(instant_text(one.first_opened_at), instant_text(one.last_opened_at)),
            *(f"{one.candles:,}", one.state, _detail(one)),
        )
    return table


def _detail(one: Finding) -> str:
    repair_requests: list[dict[str, Any]] = one.detail.get("asked", [])
    parts = [_phrase(name, value) for name, value in one.detail.items() if name != "asked"]
    if repair_requests:
        who = ", ".join(dict.fromkeys(each["source"] for each in repair_requests))
        parts.append(f"asked {who} {len(repair_requests)}×, last {repair_requests[-1]['at']}")
    return "; ".join(parts)


def _phrase(name: str, value: Any) -> str:
    if name == "what":
        return str(value)
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name} {value}"


def _show_repair(report: RepairReport) -> None:
    err.print(
        f"{counted(len(report.requests), 'request')}: {report.repaired:,} repaired, "
        f"{report.confirmed:,} confirmed as real"
    )
    for name, interval in report.of_files:
        err.print(
            f"{name} {interval} came from a file, so that no service was asked: import a file "
            "that has the missing candles (mela import)",
            markup=False,
        )
    for request in report.requests:
        if request.error:
            err.print(f"{request.instrument} {request.interval}: {request.error}", style="yellow")


def _document(found: Quality) -> dict[str, Any]:
    document: dict[str, Any] = {
        "ok": found.ok,
        "checks": [_plain(asdict(one)) for one in found.checks],
        "findings": [_plain(asdict(one)) for one in found.findings],
    }
    if found.repair is not None:
        document["repair"] = {
            "repaired": found.repair.repaired,
            "confirmed": found.repair.confirmed,
            "of_files": [f"{name} {interval}" for name, interval in found.repair.of_files],
            "requests": [_plain(asdict(one)) for one in found.repair.requests],
        }
    return document


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: instant_text(value) if hasattr(value, "astimezone") else value
        for name, value in row.items()
    }


def _count(number: int, colour: str) -> str:
    return f"[{colour}]{number:,}[/]" if number else "–"


def _to(check: Check) -> str:
    """Return the end of what is counted; with the hour if its day has only begun."""
    until = instant_text(check.expected_until)
    return until[:10] if until.endswith("T00:00:00Z") else until


def _day(at: Any) -> str:
    return instant_text(at)[:10]

"""`mela quality`: what is wrong with stored candles, and gaps asked for again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.candles import instant
from cli.console import err, explains, fail, out
from mela.errors import CandlesMissing
from mela.interval import Interval
from mela.run import instant_text
from mela.settings import Settings

if TYPE_CHECKING:
    from warehouse.quality import Check, Finding, RepairReport

SHOWN = 40
COLOURS = {"error": "red", "warning": "yellow", "info": "dim"}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(quality)


@explains
def quality(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INSTRUMENT]…", help="Without any: all that were ever loaded."),
    ] = None,
    interval: Annotated[Interval | None, typer.Option(help="Without it: all of them.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First candle, UTC.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End, not included, UTC.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Ask the source again for what is missing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Print all findings, not the first {SHOWN}.")
    ] = False,
) -> None:
    """Check stored candles against their market's calendar and their own sense.

    Findings stay in the warehouse until they are gone. Exit 1 where an error is open: `--repair`
    asks for gaps again, and records those that nobody fills as confirmed. Nothing is made up.
    Example: mela quality binance:BTCUSDT --interval 1h --repair
    """
    from warehouse.quality import check_quality, repair_gaps

    settings = Settings()
    first = instant(start, "--from") if start else None
    last = instant(end, "--to") if end else None
    try:
        asked = _series(settings, names, interval)
        repaired = repair_gaps(settings, asked, first, last) if repair else None
        report = check_quality(settings, asked, first, last)
    except ValueError as error:
        raise fail(f"{error}.") from error
    if as_json:
        print(json.dumps(_document(report.checks, report.findings, repaired), indent=2))
    else:
        _show(report.checks, report.findings, None if everything else SHOWN)
        if repaired is not None:
            _tell(repaired)
    if not report.ok:
        raise typer.Exit(1)


def _series(
    settings: Settings, names: Sequence[str] | None, interval: Interval | None
) -> list[tuple[str, Interval]] | None:
    from warehouse.database import transaction
    from warehouse.quality.check import known_series

    if not names and interval is None:
        return None
    with transaction(settings) as connection:
        known = known_series(connection)
    chosen = [
        (name, each)
        for name, each in known
        if (not names or name in names) and interval in (None, each)
    ]
    for name in names or ():
        if all(name != one for one, _ in chosen):
            wanted = f"{name} {interval or ''}".strip()
            raise CandlesMissing(
                f"{wanted} was never loaded. Load it: mela ingest {name} --interval … --from …"
            )
    return chosen


def _show(checks: Sequence[Check], findings: Sequence[Finding], most: int | None) -> None:
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
            *(check.instrument, check.interval.value, _day(check.span_start), _day(check.span_end)),
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
            *(f"{one.candles:,}", one.state, _said(one)),
        )
    return table


def _said(one: Finding) -> str:
    asked: list[dict[str, Any]] = one.detail.get("asked", [])
    parts = [_phrase(name, value) for name, value in one.detail.items() if name != "asked"]
    if asked:
        who = ", ".join(dict.fromkeys(each["source"] for each in asked))
        parts.append(f"asked {who} {len(asked)}×, last {asked[-1]['at']}")
    return "; ".join(parts)


def _phrase(name: str, value: Any) -> str:
    if name == "what":
        return str(value)
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name} {value}"


def _tell(report: RepairReport) -> None:
    err.print(
        f"{len(report.requests):,} requests: {report.repaired:,} repaired, "
        f"{report.confirmed:,} confirmed as real"
    )
    for request in report.requests:
        if request.error:
            err.print(f"{request.instrument} {request.interval}: {request.error}", style="yellow")


def _document(
    checks: Sequence[Check], findings: Sequence[Finding], repaired: RepairReport | None
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "ok": not any(one.is_error for one in findings),
        "checks": [_plain(asdict(one)) for one in checks],
        "findings": [_plain(asdict(one)) for one in findings],
    }
    if repaired is not None:
        document["repair"] = {
            "repaired": repaired.repaired,
            "confirmed": repaired.confirmed,
            "requests": [_plain(asdict(one)) for one in repaired.requests],
        }
    return document


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: instant_text(value) if hasattr(value, "astimezone") else value
        for name, value in row.items()
    }


def _count(number: int, colour: str) -> str:
    return f"[{colour}]{number:,}[/]" if number else "–"


def _day(at: Any) -> str:
    return instant_text(at)[:10]

"""`mela lineage`: trace a result back to the loads that brought its candles."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.console import explains, out
from cli.panels import SCENES
from mela.run import instant_text
from mela.settings import Settings

if TYPE_CHECKING:
    from warehouse.results.lineage import Lineage, SeriesLineage


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=SCENES)(lineage)


@explains
def lineage(
    key: Annotated[str, typer.Argument(metavar="RESULT_KEY|RUN_KEY", help="Or its first digits.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one array.")] = False,
) -> None:
    """Print where a result comes from: its scenes, its code, its candles and their loads.

    For each load it prints the source, the request, and the version of the code that ran it.
    """
    from services.runs.lineage import trace_result

    found = trace_result(key, Settings())
    if as_json:
        print(json.dumps([_plain(asdict(one)) for one in found], indent=2, default=str))
        return
    for one in found:
        _show(one)


def _show(one: Lineage) -> None:
    result = one.result
    out.print(f"[bold]result {result['result_key']}[/]")
    out.print(f"run {result['run_key']}: {result['strategy']} {json.dumps(result['params'])}")
    out.print(
        f"{result['status']}, computed {instant_text(result['computed_at'])} by engine "
        f"{result['engine_version']}, metrics {result['metrics_version']}, "
        f"strategy {result['strategy_digest'][:12]}"
    )
    if result["changed_since"]:
        out.print("[red]its numbers were changed after it was stored[/]: see `mela verify`")
    for scene in one.scenes:
        about = [f"by {scene['user']}"] if scene["user"] else []
        about += [f"again for {scene['rerun_of']}"] if scene["rerun_of"] else []
        about += ["from store"] if scene["cached"] else []
        name = f" {scene['name']}" if scene["name"] else ""
        out.print(f"answers scene {scene['scene_id']}{name} {' '.join(about)}", markup=False)
    for series in one.series:
        _show_series(series, result["interval"])


def _show_series(series: SeriesLineage, interval: str) -> None:
    out.print(
        f"\n[bold]{series.instrument} {interval}[/] revision {series.revision}, candles of "
        f"{instant_text(series.start)} to {instant_text(series.end)}"
    )
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("load", "candles", "first", "last", "source", "code", "loaded", "request"):
        # the request is long: it is broken, never cut
        table.add_column(name, no_wrap=name != "request", overflow="fold")
    for batch in series.batches:
        table.add_row(
            *(str(batch["id"]), f"{batch['candles']:,}"),
            *(instant_text(batch["first_opened_at"]), instant_text(batch["last_opened_at"])),
            f"{batch['source']} ({batch['origin']})",
            *(batch["code_version"], instant_text(batch["started_at"])[:19]),
            json.dumps(batch["request"]),
        )
    out.print(table)
    for revision in series.revisions:
        when = "[yellow]after the result[/]" if revision["later"] else "known to it"
        out.print(
            f"revision {revision['revision']} ({revision['reason']}) of load "
            f"{revision['load_batch_id']}: {instant_text(revision['first_opened_at'])} to "
            f"{instant_text(revision['last_opened_at'])}, {when}"
        )


def _plain(value: Any) -> Any:
    if hasattr(value, "items"):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return instant_text(value) if hasattr(value, "astimezone") else value

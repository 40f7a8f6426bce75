"""`mela strategies`, `mela indicators`: list strategies for scenes, indicators for strategies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.console import WRONG_QUESTION, err, explains, fail, out
from cli.panels import STRATEGIES
from mela.errors import StrategyBroken
from mela.name_suggestions import did_you_mean, ended
from mela.settings import Settings

if TYPE_CHECKING:
    from backtests.indicators import Indicator
    from backtests.strategy import Catalogue, Strategy

JSON = typer.Option("--json", help="Print JSON.")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (strategies, indicators):
        app.command(rich_help_panel=STRATEGIES)(command)


def unknown_sentence(name: str, catalogue: Catalogue) -> str:
    """Return the sentence on a name that no strategy has, with the names that may be meant."""
    sentence = ended(f"no strategy is called {name!r}{did_you_mean(name, catalogue)}")
    return f"{sentence} `mela strategies` lists them."


@explains
def strategies(
    name: Annotated[
        str | None, typer.Argument(help="Show one: its source, its warm-up, a scene, and more.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Schemas.")] = False,
) -> None:
    """List the strategies that a scene can name, with parameters, defaults and bounds.

    Includes those of installed packages. A strategy that could not be loaded is listed with its
    error. If a warehouse answers, each line says what a lookahead check found.
    """
    from services.strategies.all_strategies import all_strategies  # loads the engine

    settings = Settings()
    catalogue = all_strategies(settings)
    if name is not None:
        _show_one(name, catalogue, settings, as_json=as_json)
        return
    if as_json:
        schemas = {name: info.params.model_json_schema() for name, info in catalogue.items()}
        out.print(json.dumps(schemas, indent=2), markup=False)
    else:
        from cli.strategies.strategy_page import verdict_text
        from services.strategies.strategy_page import stored_checks

        checks = stored_checks(catalogue, settings)
        for each in sorted(catalogue):
            out.print(_described(catalogue[each]))
            if checks:
                out.print(f"lookahead: {verdict_text(checks.get(each))}", markup=False)
            out.print()
    for broken in catalogue.broken:
        err.print(f"[bold red]{', '.join(broken.names)}[/]", end=" ")
        err.print(f"could not be loaded from {broken.origin}: {broken.error}", markup=False)


def _show_one(name: str, catalogue: Catalogue, settings: Settings, *, as_json: bool) -> None:
    from cli.strategies.strategy_page import document, show
    from services.strategies.strategy_page import page_of

    try:
        info = catalogue[name]
    except StrategyBroken as broken:
        raise fail(str(broken), WRONG_QUESTION) from broken
    except KeyError as unknown:
        raise fail(unknown_sentence(name, catalogue), WRONG_QUESTION) from unknown
    page = page_of(info, settings)
    if as_json:
        out.print(json.dumps(document(page), indent=2), markup=False)
    else:
        show(page, _described(info))


@explains
def indicators(as_json: Annotated[bool, JSON] = False) -> None:
    """List the indicators that a strategy can use, with parameters, units and warm-up."""
    from backtests.indicators import INDICATORS  # loads the engine

    if as_json:
        body = {name: _as_json(one) for name, one in INDICATORS.items()}
        out.print(json.dumps(body, indent=2), markup=False)
        return
    table = Table(box=None)
    for column in ("indicator", "kind", "parameters", "gives", "warm-up", "meaning"):
        table.add_column(column)
    for one in INDICATORS.values():
        info_fields = _as_json(one)
        table.add_row(
            one.name,
            one.kind,
            ", ".join(f"{each.name} {each.default:g}" for each in one.parameters),
            ", ".join(f"{line.name} ({line.unit})" for line in one.lines),
            "–" if info_fields["warmup"] is None else str(info_fields["warmup"]),
            f"{one.doc} ({one.source})",
        )
    out.print(table)


def _described(info: Strategy) -> Table:
    table = Table(title=f"[bold]{info.name}[/]  {info.doc}", title_justify="left", box=None)
    for column in ("parameter", "type", "default", "bounds", "meaning"):
        table.add_column(column)
    for field, schema in info.params.model_json_schema().get("properties", {}).items():
        table.add_row(
            field,
            _type(schema),
            str(schema.get("default", "required")),
            _bounds(schema),
            schema.get("description", ""),
        )
    return table


def _as_json(one: Indicator) -> dict[str, Any]:
    """Return an indicator as JSON values; its warm-up, in candles, at its defaults."""
    defaults = [each.default for each in one.parameters]
    return {
        "kind": one.kind,
        "meaning": one.doc,
        "source": one.source,
        "parameters": {
            each.name: {
                "default": each.default,
                "minimum": each.least,
                "maximum": each.most,
                "meaning": each.says,
            }
            for each in one.parameters
        },
        "lines": {line.name: line.unit for line in one.lines},
        "warmup": one.warmup(*defaults),
    }


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    several = [_type(each) for each in schema.get("anyOf", ())]
    return " | ".join(several) or str(schema.get("type", "any"))


def _bounds(schema: dict[str, Any]) -> str:
    signs = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
    }
    every = (schema, *schema.get("anyOf", ()))
    together = {key: value for branch in every for key, value in branch.items()}
    return ", ".join(f"{sign} {together[key]:g}" for key, sign in signs.items() if key in together)

"""The catalogue of strategies as a caller of the application sees it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from backtests.catalogue.loading import OWN
from backtests.strategy import Broken, Strategy
from mela.errors import NotFound
from mela.name_suggestions import did_you_mean, ended
from mela.schemas import params_schema
from mela.settings import Settings
from mela.verdict import Verdict
from services.accounts.accounts import Caller
from services.scenes import scene_pages
from services.scenes.scene_pages import SceneOfList
from services.scenes.scene_states import SceneState
from services.strategies.all_strategies import all_strategies
from services.strategies.strategy_page import page_of, stored_checks
from warehouse.database import transaction
from warehouse.results import strategy_record
from warehouse.results.verdicts import StoredCheck

NEWEST = 10
WORDS: Mapping[Verdict, str] = {
    Verdict.FOUND: "it looks ahead: what it decides on a candle depends on later ones.",
    Verdict.NOT_VERIFIED: "nobody has checked yet whether it looks ahead.",
    Verdict.DEPENDS_ON_HISTORY: "it does not look ahead, but where its candles begin changes what "
    "it decides.",
    Verdict.CLEAN: "a check found no lookahead.",
}


@dataclass(frozen=True, slots=True)
class StrategyOfList:
    """A strategy of the catalogue. scenes: that ask for it, as far as the caller sees them."""

    name: str
    summary: str
    origin: str
    digest: str
    params: tuple[str, ...]
    lookahead: str
    scenes: int


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that could not be loaded."""

    file: str
    names: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class CheckFound:
    """The last lookahead check of a source."""

    verdict: str
    checked_at: datetime | None
    message: str
    coverage: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class StrategyInFull:
    """A strategy. warmup: in candles at its defaults; None where a parameter has none."""

    row: StrategyOfList
    description: str
    schema: Mapping[str, Any]
    defaults: Mapping[str, Any]
    warmup: int | None
    inputs: str
    source: str
    file: str
    check: CheckFound
    record: tuple[SceneOfList, ...]
    runs: int


def every(
    settings: Settings, caller: Caller
) -> tuple[tuple[StrategyOfList, ...], tuple[BrokenFile, ...]]:
    """Return all strategies by name, and what could not be loaded."""
    catalogue = all_strategies(settings)
    checks = stored_checks(catalogue, settings)
    with transaction(settings) as connection:
        scenes = strategy_record.scenes_of(connection, caller.user_id, catalogue)
    items = tuple(
        _row(catalogue[name], checks.get(name), scenes.get(name, 0)) for name in sorted(catalogue)
    )
    return items, tuple(map(_broken, catalogue.broken))


def in_full(settings: Settings, caller: Caller, name: str) -> StrategyInFull:
    """Return a strategy. Raises NotFound, and StrategyBroken for one that could not be loaded."""
    catalogue = all_strategies(settings)
    try:
        strategy = catalogue[name]
    except KeyError as error:
        if str(error) and name in {one for each in catalogue.broken for one in each.names}:
            raise
        question = did_you_mean(name, catalogue)
        raise NotFound(ended(f"no strategy is called {name!r}{question}")) from error
    page = page_of(strategy, settings)
    with transaction(settings) as connection:
        scenes = strategy_record.scenes_of(connection, caller.user_id, [name])
        runs = strategy_record.results_of(connection, caller.user_id, name, strategy.digest)
    record = scene_pages.list_page(
        settings, caller, states=[SceneState.FINISHED], strategy=name, limit=NEWEST
    )
    file = Path(page.source)
    return StrategyInFull(
        row=_row(strategy, page.check, scenes.get(name, 0)),
        description=inspect.getdoc(inspect.unwrap(strategy.signals)) or strategy.doc,
        schema=params_schema(strategy.params),
        defaults=json.loads(page.params),
        warmup=page.warmup,
        inputs=page.inputs,
        source=_source(file),
        file=file.name,
        check=_check(page.check),
        record=record.items,
        runs=runs,
    )


def _row(strategy: Strategy, check: StoredCheck | None, scenes: int) -> StrategyOfList:
    module = inspect.unwrap(strategy.signals).__module__
    return StrategyOfList(
        name=strategy.name,
        summary=strategy.doc,
        origin="mela" if module.startswith((OWN, "forecasts.")) else module.partition(".")[0],
        digest=strategy.digest,
        params=tuple(strategy.params.model_fields),
        lookahead=(check.verdict if check else Verdict.NOT_VERIFIED).value,
        scenes=scenes,
    )


def _check(check: StoredCheck | None) -> CheckFound:
    if check is None:
        return CheckFound(
            Verdict.NOT_VERIFIED.value, None, WORDS[Verdict.NOT_VERIFIED].capitalize(), ()
        )
    words = WORDS[check.verdict]
    return CheckFound(
        check.verdict.value,
        check.checked_at,
        f"{words[:1].upper()}{words[1:]}",
        tuple(check.coverage),
    )


def _broken(broken: Broken) -> BrokenFile:
    return BrokenFile(Path(broken.origin).name, broken.names, broken.error)


def _source(file: Path) -> str:
    """Return what is in a strategy's file; nothing where it has none that can be read."""
    try:
        return file.read_text(encoding="utf-8") if file.name else ""
    except (OSError, UnicodeDecodeError):
        return ""

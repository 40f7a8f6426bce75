"""A dry run of a scene for the application: what is wrong, how much it is, how long it may take."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from mela.counts import counted
from mela.errors import RejectionCode
from mela.scene import Scene
from mela.settings import Settings
from mela.training import is_training, parse_training
from mela.verdict import Verdict
from mela.yaml_text import read_yaml
from services.accounts import quotas
from services.accounts.accounts import Caller
from services.scenes.scene_yaml import yaml_of
from services.scenes.validate import Fault, MissingCandles, validate_scene
from services.strategies.all_strategies import all_strategies
from services.strategies.strategy_page import stored_checks
from warehouse.database import transaction
from warehouse.scenes import pages

LOOKED_AT = 40  # scenes that finished last
MANY = 200  # executed runs from which a scene tells the speed
FEW = 10  # up to which it tells what every scene costs


@dataclass(frozen=True, slots=True)
class DryRun:
    """The outcome of a dry run; the fields of `Validation`, and what a person asks besides.

    stored: runs whose stored result the caller may see: whoever guesses must not learn what others
        keep private
    expected_seconds: None where no scene finished lately; warnings: sentences
    """

    faults: tuple[Fault, ...]
    runs: int
    skipped: int
    stored: int | None
    missing: tuple[MissingCandles, ...]
    expected_seconds: float | None
    warnings: tuple[str, ...]
    yaml: str | None


@dataclass(frozen=True, slots=True)
class ParsedYaml:
    """The content of a text. scene: None where it is no mapping."""

    scene: dict[str, Any] | None
    faults: tuple[Fault, ...]


def dry_run(settings: Settings, caller: Caller, document: Any) -> DryRun:
    """Check a scene as the planner will. Nothing is published."""
    found = validate_scene(document, settings, seen_by=caller.user_id)
    scene = found.scene
    if is_training(document):  # how long it takes nobody knows before it has begun
        yaml = yaml_of(parse_training(document).content()) if found.ok else None
        return DryRun(found.faults, found.runs, 0, None, (), None, (), yaml)
    runs = found.runs if found.ok else 0
    return DryRun(
        faults=found.faults,
        runs=runs,
        skipped=found.skipped if found.ok else 0,
        stored=found.stored,
        missing=found.missing,
        expected_seconds=_seconds(settings, runs - (found.stored or 0)) if found.ok else None,
        warnings=tuple(_warnings(settings, caller, scene, found.runs, found.skipped))
        if scene and found.ok
        else (),
        yaml=None if scene is None else yaml_of(scene.content()),
    )


def parse(text: str) -> ParsedYaml:
    """Read a scene that is written as YAML."""
    try:
        document = read_yaml(text)
    except yaml.YAMLError as error:
        return ParsedYaml(None, (Fault(None, RejectionCode.NOT_JSON, _place(error)),))
    if not isinstance(document, dict):
        sentence = "expected the fields of a scene, as `instruments: [binance:BTCUSDT]`."
        return ParsedYaml(None, (Fault(None, RejectionCode.NOT_JSON, sentence),))
    return ParsedYaml(_texts(document), ())


def _seconds(settings: Settings, runs: int) -> float | None:
    with transaction(settings) as connection:
        known = [(n, s) for n, s in pages.speeds(connection, LOOKED_AT) if s > 0]
    if not known:
        return None
    small = [seconds for number, seconds in known if number <= FEW]
    large = [one for one in known if one[0] >= MANY] or known
    rate = sum(number for number, _ in large) / sum(seconds for _, seconds in large)
    always = statistics.median(small) if small else 0.5
    return always + (runs / rate if rate else 0.0)


def _warnings(
    settings: Settings, caller: Caller, scene: Scene, runs: int, skipped: int
) -> Iterator[str]:
    if skipped:
        yield (
            f"{counted(skipped, 'combination')} of {runs + skipped:,} break a rule of the strategy "
            "and are left out."
        )
    catalogue = all_strategies(settings)
    name = scene.strategy.name
    if name in catalogue:
        check = stored_checks({name: catalogue[name]}, settings).get(name)
        if check is not None and check.verdict is Verdict.FOUND:
            yield f"{name} looks ahead, as a check has shown: its results mean nothing."
    quota = quotas.state(settings, caller.user_id)
    left = quota.runs_per_day - quota.runs_today
    if quota.runs_per_day and runs > left:
        yield (
            f"your quota of {quota.runs_per_day:,} runs a day leaves {max(0, left):,} for today: "
            "the scene will be rejected."
        )
    if quota.scenes_at_once and quota.scenes_now >= quota.scenes_at_once:
        yield (
            f"{counted(quota.scenes_now, 'scene')} of yours are under way, as many as your quota "
            "allows: the scene will be rejected until one ends."
        )


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}." if mark else f"{problem}"


def _texts(document: dict[Any, Any]) -> dict[str, Any]:
    """Return JSON values: days and instants as texts, as YAML reads them as something else."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(name): plain(part) for name, part in value.items()}
        if isinstance(value, list):
            return [plain(part) for part in value]
        if hasattr(value, "isoformat"):
            return value.isoformat().replace("+00:00", "Z")
        return value

    return plain(document)

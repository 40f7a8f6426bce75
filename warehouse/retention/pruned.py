"""Tell readers that something was pruned: when, by which rule, and how to have it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from mela.instants import instant_text

_RULE = "p.id, p.started_at, p.scene_days, p.keep_best"
_SCENE = text(f"""
    SELECT {_RULE}, counted.answers FROM ops.pruned_answers(CAST(:scene_id AS uuid)) AS counted,
    LATERAL (
        SELECT p.* FROM ops.pruned_answer a
        JOIN ops.pruned_result gone ON gone.result_key = a.result_key
        JOIN ops.prune p ON p.id = gone.prune_id
        WHERE a.scene_id = CAST(:scene_id AS uuid) ORDER BY p.id DESC LIMIT 1
    ) AS p
    WHERE counted.answers > 0
""")  # noqa: S608  made of the constant above
# The keys of a range of bytes: digits may be odd in number, so that the text decides.
_KEY = text(f"""
    SELECT {_RULE}, encode(gone.result_key, 'hex') AS result_key,
           encode(gone.run_key, 'hex') AS run_key,
           ARRAY(SELECT a.scene_id::text FROM ops.pruned_answer a
                 WHERE a.result_key = gone.result_key ORDER BY 1) AS scene_ids
    FROM ops.pruned_result gone JOIN ops.prune p ON p.id = gone.prune_id
    WHERE (gone.result_key >= CAST(:low AS bytea) AND gone.result_key <= CAST(:high AS bytea))
       OR (gone.run_key >= CAST(:low AS bytea) AND gone.run_key <= CAST(:high AS bytea))
    ORDER BY gone.computed_at DESC LIMIT 1
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Rule:
    """The pass that removed something, and its rule."""

    pass_id: int
    at: datetime
    scene_days: int
    keep_best: int

    @property
    def sentence(self) -> str:
        """Return when and by which rule, as the end of a sentence."""
        return (
            f"pruned on {instant_text(self.at)[:10]}: a scene that ended more than "
            f"{self.scene_days} days ago keeps its best {self.keep_best}"
        )


@dataclass(frozen=True, slots=True)
class PrunedScene:
    """The number of a scene's pruned results, and the rule that pruned the last of them."""

    scene_id: str
    results: int
    rule: Rule

    @property
    def sentence(self) -> str:
        """Return what a reader is told."""
        return f"{self.results:,} of its results were {self.rule.sentence}. {again(self.scene_id)}"


@dataclass(frozen=True, slots=True)
class PrunedResult:
    """A result that was pruned, and the scenes that had it."""

    result_key: str
    run_key: str
    scene_ids: tuple[str, ...]
    rule: Rule

    @property
    def sentence(self) -> str:
        """Return what a reader is told."""
        whose = f" of the scene {self.scene_ids[0]}" if self.scene_ids else ""
        return (
            f"the result {self.result_key[:12]} of the run {self.run_key[:12]}{whose} was "
            f"{self.rule.sentence}. {again(*self.scene_ids[:1])}"
        )


def again(scene_id: str = "SCENE_ID") -> str:
    """Return how to have what was pruned again."""
    return (
        f"`mela prune --restore {scene_id}` publishes the scene again under a new id, which "
        "computes them anew; they count as the trials that they were."
    )


def of_scene(connection: Connection, scene_id: str | UUID) -> PrunedScene | None:
    """Return what was pruned of a scene; None if nothing was."""
    row = connection.execute(_SCENE, {"scene_id": str(scene_id)}).one_or_none()
    return None if row is None else PrunedScene(str(scene_id), int(row.answers), _rule(row))


def of_key(connection: Connection, digits: str) -> PrunedResult | None:
    """Return a pruned result by the first digits of its key or its run's; None if there is none.

    digits: hexadecimal
    """
    limits = {
        "low": bytes.fromhex(digits.ljust(64, "0")),
        "high": bytes.fromhex(digits.ljust(64, "f")),
    }
    row = connection.execute(_KEY, limits).one_or_none()
    if row is None:
        return None
    return PrunedResult(row.result_key, row.run_key, tuple(row.scene_ids), _rule(row))


def _rule(row: Row[Any]) -> Rule:
    return Rule(row.id, row.started_at, row.scene_days, row.keep_best)

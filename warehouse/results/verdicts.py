"""The verdicts of lookahead checks, one for each digest of a strategy's source."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from mela.verdict import Verdict

_STORE = text("""
    INSERT INTO ops.strategy_check AS known
        (strategy_digest, strategy, lookahead, coverage, checked_at)
    VALUES (:digest, :strategy, :lookahead, CAST(:coverage AS jsonb), :checked_at)
    ON CONFLICT (strategy_digest) DO UPDATE SET
        strategy = excluded.strategy, lookahead = excluded.lookahead,
        coverage = excluded.coverage, checked_at = excluded.checked_at
    WHERE known.lookahead <> 'found' OR excluded.lookahead = 'found'
""")
_FIND = text("""
    SELECT strategy_digest, lookahead, coverage, checked_at FROM ops.strategy_check
    WHERE strategy_digest = ANY(:digests)
""")


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """A verdict, the series that it rests on with their coverage, and when it was found."""

    verdict: Verdict
    coverage: list[Mapping[str, Any]]
    checked_at: datetime


def store(
    connection: Connection,
    digest: str,
    strategy: str,
    verdict: Verdict,
    coverage: list[dict[str, Any]],
) -> None:
    """Keep what a check found. A proof stays: what was found once is not cleared by another check.

    coverage: of each series, as `mela check --json` prints it
    """
    values = {
        "digest": digest,
        "strategy": strategy,
        "lookahead": verdict.value,
        "coverage": orjson.dumps(coverage).decode(),
        "checked_at": datetime.now(UTC),
    }
    connection.execute(_STORE, values)


def find(connection: Connection, digests: Collection[str]) -> dict[str, StoredCheck]:
    """Return what is known, by digest."""
    rows = connection.execute(_FIND, {"digests": sorted(digests)})
    return {row[0]: StoredCheck(Verdict(row[1]), row[2], row[3]) for row in rows}

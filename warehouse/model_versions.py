"""The record of registered models: versions, aliases, and the trials that they are.

The warehouse says which version an alias means; MLflow shows the same. So scenes are planned, and
sessions started, whether MLflow is there or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, RowMapping, text

CHAMPION, CHALLENGER = "champion", "challenger"

_COLUMNS = """
    v.name, v.version, v.sha256 AS sha, v.kind, v.trained_through, v.registered_at, v.verdict,
    v.scores, v.scene_id, v.mlflow_run_id,
    ARRAY(SELECT a.alias FROM ops.model_alias a WHERE a.name = v.name AND a.version = v.version
          ORDER BY a.alias) AS aliases
"""
_RECORD = text("""
    INSERT INTO ops.model_version (name, version, sha256, kind, training_hash, trial_group,
        trained_through, scores, verdict, card, report, scene_id, mlflow_run_id)
    VALUES (:name, :version, :sha, :kind, :training_hash, :trial_group, :trained_through,
        CAST(:scores AS jsonb), :verdict, :card, :report, :scene_id, :mlflow_run_id)
    ON CONFLICT DO NOTHING
""")
_ALIAS = text("""
    INSERT INTO ops.model_alias (name, alias, version) VALUES (:name, :alias, :version)
    ON CONFLICT (name, alias) DO UPDATE SET version = excluded.version, set_at = now()
    WHERE ops.model_alias.version <> excluded.version
""")
_FIRST_ALIAS = text("""
    INSERT INTO ops.model_alias (name, alias, version) VALUES (:name, :alias, :version)
    ON CONFLICT DO NOTHING
""")
_ALL = text(f"""
    SELECT {_COLUMNS} FROM ops.model_version v
    WHERE CAST(:name AS text) IS NULL OR v.name = :name ORDER BY v.name, v.version DESC
""")  # noqa: S608  made of the constant above
_FIND = text(f"""
    SELECT {_COLUMNS} FROM ops.model_version v
    WHERE v.name = :name AND (CAST(v.version AS text) = :which OR EXISTS (
        SELECT FROM ops.model_alias a
        WHERE a.name = v.name AND a.version = v.version AND a.alias = :which))
""")  # noqa: S608  made of the constant above
_TEXTS = text(
    "SELECT card, report FROM ops.model_version WHERE name = :name AND version = :version"
)
_TRIALS = text("""
    SELECT sha256, CAST(scores->>'sharpe_per_day' AS float8) FROM ops.model_version
    WHERE trial_group = :trial_group AND training_hash <> :training_hash
    ORDER BY name, version
""")


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A registered version. aliases: sorted; scores: undefined ones are left out."""

    name: str
    version: int
    sha: str
    kind: str
    trained_through: datetime
    registered_at: datetime
    verdict: str
    scores: Mapping[str, float]
    scene_id: UUID | None
    mlflow_run_id: str | None
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to record. card, report: Markdown; scene_id: None where no scene asked for it."""

    name: str
    version: int
    sha: str
    kind: str
    training_hash: str
    trial_group: str
    trained_through: datetime
    scores: Mapping[str, float]
    verdict: str
    card: str
    report: str
    scene_id: UUID | None
    mlflow_run_id: str | None


def record(connection: Connection, new: NewVersion) -> None:
    """Record a version as challenger, and as champion where its model has none. May be repeated."""
    values = {name: getattr(new, name) for name in NewVersion.__slots__}
    values["scores"] = orjson.dumps(dict(new.scores)).decode()
    if not connection.execute(_RECORD, values).rowcount:
        return  # it was recorded before, and perhaps promoted since
    named = {"name": new.name, "version": new.version}
    connection.execute(_ALIAS, {**named, "alias": CHALLENGER})
    connection.execute(_FIRST_ALIAS, {**named, "alias": CHAMPION})


def set_alias(connection: Connection, name: str, alias: str, version: int) -> None:
    """Have an alias mean a recorded version."""
    connection.execute(_ALIAS, {"name": name, "alias": alias, "version": version})


def versions(connection: Connection, name: str | None = None) -> list[StoredVersion]:
    """Return the versions of a model, or of all, the newest of each first."""
    rows = connection.execute(_ALL, {"name": name}).mappings()
    return [_version(row) for row in rows]


def find(connection: Connection, name: str, which: str) -> StoredVersion | None:
    """Return a version by its number or alias; None where it is not recorded."""
    row = connection.execute(_FIND, {"name": name, "which": which}).mappings().one_or_none()
    return None if row is None else _version(row)


def texts(connection: Connection, name: str, version: int) -> tuple[str, str]:
    """Return the card and the report of a recorded version, in Markdown."""
    card, report = connection.execute(_TEXTS, {"name": name, "version": version}).one()
    return card, report


def trials(connection: Connection, trial_group: str, *, but: str) -> list[tuple[str, float | None]]:
    """Return the SHA-256 and the Sharpe ratio per day of each trial of a group.

    but: the hash of a training, which is no other trial than itself
    """
    values = {"trial_group": trial_group, "training_hash": but}
    return [(sha, ratio) for sha, ratio in connection.execute(_TRIALS, values)]


def _version(row: RowMapping) -> StoredVersion:
    values: dict[str, Any] = {**row, "aliases": tuple(row["aliases"])}
    return StoredVersion(**values)

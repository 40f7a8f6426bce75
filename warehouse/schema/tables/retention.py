"""The record of `mela prune`: what it removed, by which rules, and what stays."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.schema.tables.base import Base, InstrumentId, Now

_BY = text("SESSION_USER")
_NONE = text("0")


class ScenePin(Base):
    """A scene of which nothing is ever pruned. Grain: scene_id."""

    __tablename__ = "scene_pin"
    __table_args__ = (
        {"schema": "ops", "comment": "a scene of which nothing is ever pruned. Grain: scene_id"},
    )

    scene_id: Mapped[UUID] = mapped_column(ForeignKey("ops.scene.scene_id"), primary_key=True)
    pinned_at: Mapped[Now]
    pinned_by: Mapped[str] = mapped_column(server_default=_BY)
    reason: Mapped[str | None]


class Prune(Base):
    """A pass of `mela prune`: its rules, and what it removed. Grain: id."""

    __tablename__ = "prune"
    __table_args__ = (
        CheckConstraint("scene_days > 0 AND keep_best > 0 AND curve_days > 0", name="rules"),
        {
            "schema": "ops",
            "comment": "a pass of mela prune, its rules and what it removed. Grain: id",
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    started_at: Mapped[Now]
    finished_at: Mapped[datetime | None]
    made_by: Mapped[str] = mapped_column(server_default=_BY)
    scene_days: Mapped[int]
    keep_best: Mapped[int]
    curve_days: Mapped[int]
    results: Mapped[int] = mapped_column(BigInteger, server_default=_NONE)
    runs: Mapped[int] = mapped_column(BigInteger, server_default=_NONE)
    curves: Mapped[int] = mapped_column(BigInteger, server_default=_NONE)
    bytes: Mapped[int] = mapped_column(BigInteger, server_default=_NONE)


class PrunedFamily(Base):
    """The fields that pruned results have in common.

    Grain: instrument, strategy, span, interval, digest.
    """

    __tablename__ = "pruned_family"
    __table_args__ = (
        UniqueConstraint(
            *("instrument_id", "strategy", "start_at", "end_at", "interval", "strategy_digest"),
            name="pruned_family_key",
        ),
        {
            "schema": "ops",
            "comment": "what pruned results have in common. Grain: instrument, strategy, span, "
            "interval, digest",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    instrument_id: Mapped[InstrumentId]
    strategy: Mapped[str]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    interval: Mapped[str]
    strategy_digest: Mapped[str]


class PrunedResult(Base):
    """A trial whose result was pruned: what statistics need of it. Grain: result_key.

    The keys are bytes here and text elsewhere, because these rows stay for ever.
    """

    __tablename__ = "pruned_result"
    __table_args__ = (
        CheckConstraint(
            "octet_length(result_key) = 32 AND octet_length(run_key) = 32", name="keys"
        ),
        CheckConstraint("octet_length(blocks) = 384", name="blocks"),
        Index("pruned_result_run_key_idx", "run_key"),
        Index("pruned_result_family_id_idx", "family_id"),
        {
            "schema": "ops",
            "comment": "a trial whose result was pruned: what statistics need of it. "
            "Grain: result_key",
        },
    )

    result_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    run_key: Mapped[bytes]
    family_id: Mapped[int] = mapped_column(ForeignKey("ops.pruned_family.id"))
    prune_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("ops.prune.id"))
    computed_at: Mapped[datetime]
    sharpe: Mapped[float | None]
    total_return: Mapped[float | None]
    buy_hold_return: Mapped[float | None]
    status: Mapped[str]
    blocks: Mapped[bytes | None]


class PrunedAnswer(Base):
    """A pruned result of a scene. Grain: scene_id, result_key."""

    __tablename__ = "pruned_answer"
    __table_args__ = (
        {
            "schema": "ops",
            "comment": "that a scene had a result that was pruned. Grain: scene_id, result_key",
        },
    )

    scene_id: Mapped[UUID] = mapped_column(ForeignKey("ops.scene.scene_id"), primary_key=True)
    result_key: Mapped[bytes] = mapped_column(
        LargeBinary, ForeignKey("ops.pruned_result.result_key"), primary_key=True
    )

"""Trainings, the models that came of them, and the files of models that are asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.schema.tables.base import Base, Count, Key, Now


class ModelFile(Base):
    """The file of a model that a scene or a session named. Grain: sha256."""

    __tablename__ = "model_file"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        {
            "schema": "ops",
            "comment": "the file of a model that a scene or a session named: it never changes. "
            "Grain: sha256",
        },
    )

    sha256: Mapped[str] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(comment="how it was named first, pinned")
    content: Mapped[bytes]
    kept_at: Mapped[Now] = mapped_column(
        comment="when a scene, a session or an alias named it last"
    )


class Training(Base):
    """A scene of kind train, and how far it is. Grain: scene_id."""

    __tablename__ = "training"
    __table_args__ = (
        CheckConstraint("done >= 0 AND attempts >= 0", name="counts"),
        CheckConstraint("(error_class IS NULL) = (error_sentence IS NULL)", name="error"),
        CheckConstraint(
            "ended_at IS NOT NULL OR (error_class IS NULL AND version IS NULL AND told_at IS NULL)",
            name="ended",
        ),
        Index(
            "training_asked_at_idx",
            "asked_at",
            "scene_id",
            postgresql_where=sql("ended_at IS NULL"),
        ),
        Index(
            "training_untold_idx",
            "ended_at",
            postgresql_where=sql("ended_at IS NOT NULL AND told_at IS NULL"),
        ),
        {
            "schema": "ops",
            "comment": "a scene of kind train, and how far it is. Grain: scene_id",
        },
    )

    scene_id: Mapped[UUID] = mapped_column(ForeignKey("ops.scene.scene_id"), primary_key=True)
    name: Mapped[str]
    done: Mapped[Count] = mapped_column(comment="of the fits that ops.scene has as its runs")
    doing: Mapped[str | None]
    attempts: Mapped[Count] = mapped_column(
        comment="processes that ended since it last got anywhere"
    )
    asked_at: Mapped[Now]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    error_class: Mapped[str | None]
    error_sentence: Mapped[str | None]
    version: Mapped[int | None]


class TrainingPart(Base):
    """A fit of a training that has not ended: it goes on from these. Grain: scene_id, key."""

    __tablename__ = "training_part"
    __table_args__ = (
        {
            "schema": "ops",
            "comment": "a fit of a training that has not ended: it goes on from these. "
            "Grain: scene_id, key",
        },
    )

    scene_id: Mapped[UUID] = mapped_column(ForeignKey("ops.training.scene_id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes]
    made_at: Mapped[Now]


class ModelVersion(Base):
    """A registered model: a trial of its group for ever. Grain: name, version."""

    __tablename__ = "model_version"
    __table_args__ = (
        UniqueConstraint("name", "sha256"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        Index("model_version_trial_group_idx", "trial_group"),
        {
            "schema": "ops",
            "comment": "a registered model: a trial of its group for ever. Grain: name, version",
        },
    )

    name: Mapped[Key] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    kind: Mapped[str]
    training_hash: Mapped[str]
    trial_group: Mapped[str] = mapped_column(
        comment="what trainings share that were chosen among: their instruments and interval"
    )
    trained_through: Mapped[datetime]
    scores: Mapped[dict[str, Any]]
    verdict: Mapped[str]
    card: Mapped[str]
    report: Mapped[str]
    scene_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("ops.scene.scene_id"),
        comment="the scene that trained it; null for one elsewhere",
    )
    mlflow_run_id: Mapped[str | None]
    registered_at: Mapped[Now]


class ModelAlias(Base):
    """Which version is champion, say. Grain: name, alias."""

    __tablename__ = "model_alias"
    __table_args__ = (
        ForeignKeyConstraint(
            ["name", "version"], ["ops.model_version.name", "ops.model_version.version"]
        ),
        {"schema": "ops", "comment": "which version is champion, say. Grain: name, alias"},
    )

    name: Mapped[Key] = mapped_column(primary_key=True)
    alias: Mapped[Key] = mapped_column(primary_key=True)
    version: Mapped[int]
    set_at: Mapped[Now]

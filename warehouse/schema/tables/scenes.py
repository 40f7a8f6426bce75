"""Scenes, their schedules and the users who publish them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
    func,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.schema.tables.base import (
    Base,
    Count,
    Hash,
    InstrumentId,
    Key,
    Now,
    known_interval,
    one_of,
)


class User(Base):
    """Somebody who publishes scenes. Grain: name."""

    __tablename__ = "user"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("length(name) BETWEEN 1 AND 100 AND name = btrim(name)", name="name"),
        one_of("role", "admin", "member", "viewer"),
        {"schema": "ops", "comment": "somebody who publishes scenes. Grain: name"},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    role: Mapped[str] = mapped_column(server_default="member")
    created_at: Mapped[Now]


class Scene(Base):
    """A publication. Grain: scene_id. A rejected one may have no readable content."""

    __tablename__ = "scene"
    __table_args__ = (
        one_of("status", "received", "planned", "finished", "rejected", "cancelled"),
        CheckConstraint("(status = 'rejected') = (rejection_code IS NOT NULL)", name="rejection"),
        CheckConstraint(
            "status = 'rejected' OR (content IS NOT NULL AND content_hash IS NOT NULL)",
            name="content",
        ),
        CheckConstraint("status <> 'planned' OR planned_at IS NOT NULL", name="planned"),
        CheckConstraint("status <> 'finished' OR finished_at IS NOT NULL", name="finished"),
        CheckConstraint("(status = 'cancelled') = (cancelled_at IS NOT NULL)", name="cancelled"),
        CheckConstraint("runs >= 0 AND skipped >= 0 AND cached >= 0", name="counts"),
        CheckConstraint("rerun_of <> scene_id", name="rerun_of"),
        CheckConstraint(
            '(partition IS NULL) = ("offset" IS NULL)'
            " AND (\"offset\" IS NOT NULL OR status IN ('received', 'cancelled'))",
            name="read",
        ),
        Index("scene_received_at_idx", "received_at", "scene_id"),
        Index("scene_rerun_of_idx", "rerun_of", postgresql_where=sql("rerun_of IS NOT NULL")),
        Index(
            "scene_cancelled_at_idx",
            "cancelled_at",
            postgresql_where=sql("cancelled_at IS NOT NULL"),
        ),
        Index(
            "scene_untaken_idx",
            "received_at",
            postgresql_where=sql("partition IS NULL AND status = 'received'"),
        ),
        {"schema": "ops", "comment": "a publication. Grain: scene_id"},
    )

    scene_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    content: Mapped[dict[str, Any] | None]
    content_hash: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="received")
    runs: Mapped[Count]
    skipped: Mapped[Count]
    cached: Mapped[Count]
    topic: Mapped[str]
    partition: Mapped[int | None]
    offset: Mapped[int | None] = mapped_column(
        BigInteger, comment="null until the planner has read an announced scene from Kafka"
    )
    received_at: Mapped[Now]
    planned_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    rejection_code: Mapped[str | None]
    rejection_field: Mapped[str | None]
    rejection_sentence: Mapped[str | None]
    mlflow_run_id: Mapped[str | None]
    best: Mapped[dict[str, Any] | None]
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("ops.user.id"), comment="who published it; null where nobody said"
    )
    rerun_of: Mapped[UUID | None] = mapped_column(
        ForeignKey("ops.scene.scene_id"),
        comment="the scene whose stale results this one computes again",
    )


class Holdout(Base):
    """An opening of the candles that a search did not see. Grain: scene_id.

    run_key: of the winner, chosen before them; opened_by: whom the database knew
    """

    __tablename__ = "holdout"
    __table_args__ = (
        CheckConstraint("end_at > start_at", name="span"),
        known_interval(),
        UniqueConstraint("scene_id"),
        {
            "schema": "ops",
            "comment": "an opening of candles that a search did not see. Grain: scene_id",
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    scene_id: Mapped[UUID] = mapped_column(ForeignKey("ops.scene.scene_id"))
    instruments: Mapped[list[str]]
    interval: Mapped[str]
    strategies: Mapped[list[str]]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    run_key: Mapped[str] = mapped_column(Hash, ForeignKey("ops.run.run_key"))
    opened_at: Mapped[Now]
    opened_by: Mapped[str] = mapped_column(server_default=func.current_user())


class SceneRun(Base):
    """The answer that a scene got for a run; the first one stays. Grain: scene_id, run_key."""

    __tablename__ = "scene_run"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_key", "result_key"], ["ops.result.run_key", "ops.result.result_key"]
        ),
        Index("scene_run_result_key_idx", "result_key", postgresql_using="hash"),
        {
            "schema": "ops",
            "comment": "the answer that a scene got for a run. Grain: scene_id, run_key",
        },
    )

    scene_id: Mapped[UUID] = mapped_column(ForeignKey("ops.scene.scene_id"), primary_key=True)
    run_key: Mapped[Key]
    result_key: Mapped[str] = mapped_column(Hash)
    cached: Mapped[bool]


class SceneStage(Base):
    """When a scene first reached a stage of its way. Grain: scene_id, stage.

    published: its message reached Kafka; taken: the planner read it; recorded: every run is
    answered; concluding, mirroring, mirrored: of its end and of MLflow. The scene itself has the
    times of planned and finished.
    """

    __tablename__ = "scene_stage"
    __table_args__ = (
        one_of("stage", "published", "taken", "recorded", "concluding", "mirroring", "mirrored"),
        {
            "schema": "ops",
            "comment": "when a scene first reached a stage of its way. Grain: scene_id, stage",
        },
    )

    scene_id: Mapped[UUID] = mapped_column(
        ForeignKey("ops.scene.scene_id", ondelete="CASCADE"), primary_key=True
    )
    stage: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class SceneSchedule(Base):
    """A scene that is published again whenever it is due. Grain: name."""

    __tablename__ = "scene_schedule"
    __table_args__ = (
        UniqueConstraint("name"),
        known_interval(),
        CheckConstraint("span ~ '^[1-9][0-9]{0,3}(d|w|mo|y)$'", name="span"),
        CheckConstraint(
            "every = 'complete' OR array_length(regexp_split_to_array(every, ' +'), 1) = 5",
            name="every",
        ),
        CheckConstraint(
            "jsonb_typeof(content) = 'object' AND NOT content ?|"
            " ARRAY['scene_id', 'instruments', 'interval', 'start', 'end']",
            name="content",
        ),
        CheckConstraint(
            "(last_scene_id IS NULL) = (last_covered_until IS NULL)",
            name="last",
        ),
        {
            "schema": "ops",
            "comment": "a scene that is published again whenever it is due. Grain: name",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(
        comment="the scene without id, instruments, interval and span"
    )
    interval: Mapped[str]
    span: Mapped[str] = mapped_column(
        comment="how far back a scene reaches from its end: 90d, 8w, 6mo, 2y"
    )
    every: Mapped[str] = mapped_column(
        server_default="complete",
        comment="complete (each new candle), or a cron expression in UTC",
    )
    user_id: Mapped[int | None] = mapped_column(ForeignKey("ops.user.id"))
    active: Mapped[bool] = mapped_column(server_default=sql("true"))
    last_scene_id: Mapped[UUID | None] = mapped_column(ForeignKey("ops.scene.scene_id"))
    last_covered_until: Mapped[datetime | None] = mapped_column(
        comment="the end of the scene published last"
    )
    created_at: Mapped[Now]
    is_private: Mapped[bool] = mapped_column(server_default=sql("false"))


class SceneScheduleInstrument(Base):
    """An instrument of a scene schedule, in the scene's order. Grain: schedule, place."""

    __tablename__ = "scene_schedule_instrument"
    __table_args__ = (
        UniqueConstraint("schedule_id", "instrument_id"),
        CheckConstraint("place >= 0", name="place"),
        {
            "schema": "ops",
            "comment": "an instrument of a scene schedule, in its order",
        },
    )

    schedule_id: Mapped[int] = mapped_column(
        ForeignKey("ops.scene_schedule.id", ondelete="CASCADE"), primary_key=True
    )
    place: Mapped[int] = mapped_column(primary_key=True)
    instrument_id: Mapped[InstrumentId]

"""Shared by all tables: the base class, types of columns, checks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    Text,
    func,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

from mela.interval import Interval

NAMES = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}


class Base(DeclarativeBase):
    """Times with a zone, doubles (vendors' digits exactly, numpy's own width), jsonb."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own declaration
        str: Text,
        float: Double,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
        list[int]: ARRAY(Integer),
    }


def one_of(column: str, *words: str, name: str | None = None) -> CheckConstraint:
    """Return a check that a column holds one of some words."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=name or column)


def known_interval() -> CheckConstraint:
    """Return a check that `interval` is one of ours."""
    return one_of("interval", *Interval)


Now = Annotated[datetime, mapped_column(server_default=func.now())]


Count = Annotated[int, mapped_column(server_default=sql("0"))]


Hash = Text(collation="C")  # compared byte by byte: twice as fast as by a language's rules


Key = Annotated[str, mapped_column(Hash, primary_key=True)]


InstrumentId = Annotated[int, mapped_column(ForeignKey("ops.instrument.id"))]


InstrumentKey = Annotated[int, mapped_column(ForeignKey("ops.instrument.id"), primary_key=True)]


BatchId = Annotated[int, mapped_column(BigInteger, ForeignKey("ops.load_batch.id"))]

"""Files of models that were named by scenes and sessions."""

from __future__ import annotations

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.schema.tables.base import Base, Now


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
    kept_at: Mapped[Now]

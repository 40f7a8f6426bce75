"""The models of this process: one store of their files for each set of settings."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from mela.settings import Settings

if TYPE_CHECKING:
    from services.models.model_files import ModelFiles

_lock = threading.Lock()
_files: tuple[Settings, bool, ModelFiles] | None = None


def models_of(settings: Settings, *, asks_mlflow: bool = True) -> ModelFiles:
    """Return the models of this process.

    asks_mlflow: whether this process may fetch models that nobody has kept yet
    """
    global _files
    from services.models.model_files import ModelFiles  # loads SQLAlchemy; only models need it

    with _lock:
        if _files is None or _files[:2] != (settings, asks_mlflow):
            _files = settings, asks_mlflow, ModelFiles(settings, asks_mlflow=asks_mlflow)
        return _files[2]

"""The files of models: from memory, this machine's disk, the warehouse, or MLflow, always verified.

MLflow is asked by who may sign in there and where a person or the planner waits. Processes that
execute strategies, and the one that trades, have no password of MLflow: the planner, or whoever
starts a session, keeps the file in the warehouse first. So what was planned is executed, and a
stored result computed again, whether MLflow is there or not.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from forecasts.artifact import Model, sha_of
from forecasts.reference import Pinned, parse_pinned
from mela.errors import InputInvalid, NotFound, SourceUnavailable, StrategyBroken
from mela.settings import Settings
from services.tracking.mlflow_client import answering_at_once

log = structlog.get_logger()
IN_MEMORY = 16  # models of one process, the latest asked
ON_DISK = 64  # files of one machine, the latest asked
ATTEMPTS = 3  # to fetch a file whose version MLflow knows


class ModelFiles:
    """Gives models by their pinned references. For many threads.

    asks_mlflow: whether this process may fetch what nobody has kept yet
    """

    def __init__(self, settings: Settings, *, asks_mlflow: bool = True) -> None:
        self._settings = settings
        self._asks_mlflow = asks_mlflow
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        self._lent: dict[str, Model] = {}

    def __call__(self, reference: str) -> Model:
        """Return the model of a pinned reference.

        Raises InputInvalid for a model that cannot be asked (StrategyBroken in a process that does
        not ask MLflow, as its question was accepted before), and SourceUnavailable where nobody
        answers who may have it.
        """
        pinned = parse_pinned(reference)
        with self._lock:
            model = self._lent.get(pinned.sha) or self._loaded.get(pinned.sha)
            if model is None:
                model = self._load(pinned)
                self._loaded[pinned.sha] = model
                while len(self._loaded) > IN_MEMORY:
                    self._loaded.popitem(last=False)
            elif pinned.sha in self._loaded:
                self._loaded.move_to_end(pinned.sha)
        return model

    def _load(self, pinned: Pinned) -> Model:
        try:
            return Model(self._content(pinned), pinned.sha)
        except InputInvalid as error:
            if self._asks_mlflow:
                raise
            raise StrategyBroken(str(error)) from error  # the run fails, and not its whole chunk

    def lend(self, model: Model) -> None:
        """Know a model of a file as long as this process lives."""
        self._lent[model.sha] = model

    def keep(self, reference: str) -> None:
        """Keep a model's file in the warehouse, for processes that may not ask MLflow.

        Raises as the call does, but NotFound where MLflow alone has it and does not answer, since
        nobody shall wait for that; and what the warehouse raises.
        """
        from warehouse import model_files
        from warehouse.database import transaction

        pinned = parse_pinned(reference)
        with transaction(self._settings) as connection:
            if model_files.name_again(connection, pinned.sha):
                return
        try:
            content = self._content(pinned)
        except SourceUnavailable as error:
            with transaction(self._settings) as connection:  # it is waited for, if it is away
                if model_files.name_again(connection, pinned.sha):
                    return
            raise NotFound(
                f"the warehouse has no file of model {pinned.text} any more, and MLflow at "
                f"{self._settings.mlflow.url}, which has it, does not answer. Ask again once "
                "`mela status` says that it runs."
            ) from error
        with transaction(self._settings) as connection:
            model_files.keep(connection, pinned.sha, reference, content)
        log.info("model_kept", model=reference)

    @property
    def folder(self) -> Path:
        """Return where this machine keeps files of models; they can be fetched anew."""
        return self._settings.cache_folder / "models"

    def _content(self, pinned: Pinned) -> bytes:
        """Return the bytes of a file, verified."""
        content = self._on_disk(pinned)
        if content is not None:
            return content
        away: Exception | None = None
        try:
            content = _in_warehouse(pinned, self._settings)
        except SourceUnavailable as error:
            away = error
        if content is None and self._asks_mlflow and pinned.name is not None:
            content = _in_mlflow(pinned, self._settings)
        if content is None and away is not None and not self._asks_mlflow:
            raise away  # it can be waited for
        if content is None:
            raise InputInvalid(
                None,
                f"expected the file of model {pinned.text}, but it is neither in {self.folder} nor "
                "in the warehouse"
                + (" nor in MLflow." if self._asks_mlflow else ".")
                + " `mela model list` shows what is registered.",
            )
        self._write(pinned, content)
        return content

    def _on_disk(self, pinned: Pinned) -> bytes | None:
        path = self._path(pinned)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if sha_of(content) != pinned.sha:
            log.warning("model_file_changed", model=pinned.text, path=str(path))
            path.unlink(missing_ok=True)
            return None
        os.utime(path)  # it was asked: the oldest go
        return content

    def _write(self, pinned: Pinned, content: bytes) -> None:
        """Keep a file on disk, and let the oldest go. Without a disk it is fetched again."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", delete=False) as file:
                file.write(content)
            Path(file.name).replace(self._path(pinned))
            files = sorted(self.folder.glob("*.onnx"), key=_asked_ns, reverse=True)
            for old in files[ON_DISK:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            log.warning("model_not_kept", model=pinned.text, why=str(error))

    def _path(self, pinned: Pinned) -> Path:
        return self.folder / f"{pinned.sha}.onnx"


def _asked_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:  # another process took it away
        return 0


def _in_warehouse(pinned: Pinned, settings: Settings) -> bytes | None:
    """Return a verified file; None where there is none. Raises SourceUnavailable."""
    from warehouse import model_files
    from warehouse.database import transaction

    try:
        with transaction(settings) as connection:
            content = model_files.find(connection, pinned.sha)
    except ProgrammingError:  # a warehouse older than this code
        return None
    except (OperationalError, DBAPIError) as error:
        raise SourceUnavailable(
            f"the warehouse did not give the model {pinned.text}: {str(error).splitlines()[0]}"
        ) from error
    return None if content is None else _verified(content, pinned, "the warehouse")


def _in_mlflow(pinned: Pinned, settings: Settings) -> bytes:
    """Return a registered version's verified file. Raises InputInvalid, and SourceUnavailable."""
    from mlflow.exceptions import MlflowException

    from forecasts import registry

    with answering_at_once(settings) as client:
        version = registry.version(client, str(pinned.name), str(pinned.version))
        why: Exception | None = None
        for _ in range(ATTEMPTS):
            try:
                return _verified(registry.content_of(client, version), pinned, "MLflow")
            except (MlflowException, OSError) as error:  # it answers, so that it is of the file
                why = error
    raise InputInvalid(
        None,
        f"the file of model {pinned.text} cannot be read in MLflow: {str(why).splitlines()[0]}. "
        "Train it anew, or take another version.",
    )


def _verified(content: bytes, pinned: Pinned, where: str) -> bytes:
    found = sha_of(content)
    if found != pinned.sha:
        raise InputInvalid(
            None,
            f"expected the file of model {pinned.text}, but {where} has another of that name, "
            f"whose SHA-256 is {found}: it was changed after it was registered. Train it anew, or "
            "take another version.",
        )
    return content

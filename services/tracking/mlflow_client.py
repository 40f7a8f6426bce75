"""A client of the tracking server that gives up soon, for use cases that somebody waits for."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mela.errors import SourceUnavailable
from mela.settings import Settings

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

TIMEOUT_S = 30
REST_S = 30.0  # for which MLflow is not asked again where others wait, after it gave no answer
_rests_until: dict[str, float] = {}  # by the server's address, on the monotonic clock


def client_of(settings: Settings) -> MlflowClient:
    """Return a client that signs in where the server asks for it."""
    from mlflow.environment_variables import (
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
        MLFLOW_HTTP_REQUEST_MAX_RETRIES,
        MLFLOW_HTTP_REQUEST_TIMEOUT,
    )
    from mlflow.tracking import MlflowClient

    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)  # of files of a few kilobytes
    MLFLOW_HTTP_REQUEST_TIMEOUT.set(TIMEOUT_S)
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(1)
    account = settings.mlflow
    if account.user:  # MLflow takes both from the environment only
        os.environ["MLFLOW_TRACKING_USERNAME"] = account.user
        os.environ["MLFLOW_TRACKING_PASSWORD"] = account.password.get_secret_value()
    return MlflowClient(tracking_uri=account.url)


@contextmanager
def answering(settings: Settings) -> Generator[MlflowClient]:
    """Give a client; what it raises becomes SourceUnavailable, with the address."""
    from mlflow.exceptions import MlflowException

    try:
        yield client_of(settings)
    except MlflowException as error:
        why = str(error).splitlines()[0]
        raise SourceUnavailable(
            f"MLflow at {settings.mlflow.url} did not do it: {why}. `mela status` tells whether it "
            "runs, and `mela up` starts it."
        ) from error


@contextmanager
def answering_at_once(settings: Settings) -> Generator[MlflowClient]:
    """Give a client as `answering` does, but ask no server that gave no answer just now.

    For processes in which others wait meanwhile, as scenes do in the planner.
    """
    if time.monotonic() < _rests_until.get(settings.mlflow.url, 0.0):
        raise SourceUnavailable(f"MLflow at {settings.mlflow.url} gave no answer just now")
    try:
        with answering(settings) as client:
            yield client
    except SourceUnavailable:
        _rests_until[settings.mlflow.url] = time.monotonic() + REST_S
        raise

"""One training, in a process of its own: `python -m trainer SCENE_ID`.

It may be killed at any point. What it has done is in the warehouse part by part, and the next
process goes on from there. It ends with 0 where the training has ended, well or not, and with AWAY
where a service is away and the same is to be tried later.
"""

from __future__ import annotations

import ctypes
import os
import signal
from uuid import UUID

import structlog

from backtests.simulate import error_message
from mela.errors import MelaError
from mela.settings import Settings
from mela.training import parse_training
from services.away import is_away
from services.models import models
from trainer import endings
from warehouse import trainings
from warehouse.database import transaction

log = structlog.get_logger()
AWAY = 75  # sysexits.h calls it EX_TEMPFAIL
_PR_SET_PDEATHSIG = 1


def run(scene_id: UUID, settings: Settings) -> int:
    """Bring a training to its end; return the exit status."""
    try:
        with transaction(settings) as connection:
            found = trainings.get(connection, scene_id)
        if found is not None and found.ended_at is None and found.cancelled_at is None:
            _train(scene_id, dict(found.content), settings)
    except Exception as error:
        if not is_away(error):
            raise
        log.warning("training_waits", scene_id=str(scene_id), why=str(error)[:500])
        return AWAY
    return 0


def _train(scene_id: UUID, content: dict[str, object], settings: Settings) -> None:
    """Train, register and end; what is wrong with the training ends it, too."""

    def say(doing: str) -> None:
        with transaction(settings) as connection:
            trainings.say(connection, scene_id, doing)
        log.info("training", scene_id=str(scene_id), doing=doing)

    try:
        _, version = models.train(
            parse_training(content),
            settings,
            scene_id=scene_id,
            store=trainings.Parts(settings, scene_id),
            say=say,
        )
    except Exception as error:
        if is_away(error):
            raise
        if not isinstance(error, MelaError | ValueError):
            log.exception("training_failed", scene_id=str(scene_id))
        endings.failed(scene_id, error_message(error), settings)
    else:
        endings.succeeded(scene_id, version, settings)


def die_with_parent() -> None:
    """Have the kernel end this process with the one that started it: nobody else waits for it."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before that was said
        os.kill(os.getpid(), signal.SIGKILL)

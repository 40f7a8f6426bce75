"""The process that trains: it takes what waits, one after another, each in a process of its own.

A training cannot take the trainer with it: what ends its process by itself, as a lack of memory
does, is counted, and the third such end in a row without getting anywhere ends the training.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from uuid import UUID

import structlog

from mela.settings import REPOSITORY, Settings
from services.away import is_away
from services.models.trainer_state import BEAT_S, TrainerState, now, write_state
from trainer import endings
from trainer.one import AWAY
from warehouse import trainings
from warehouse.database import transaction

log = structlog.get_logger()
LOOK_S = 1.0
TELL_S = 1.0  # between two messages of one training, at least
PATIENCE_S = 5.0  # for a process that is told to end
LATER_S = 30.0  # until a training is tried again that waits for a service
MOST_WAITING = 100
MOST_ENDS = 3  # of processes in a row that ended by themselves
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Trainer:
    """Trains until it is told to stop. `run` belongs to one thread."""

    def __init__(self, settings: Settings) -> None:
        """Make it; nothing is asked yet."""
        self._settings = settings
        self._stop = threading.Event()
        self._not_before: dict[UUID, float] = {}
        self._beat_at = 0.0
        self._training: UUID | None = None

    def stop(self) -> None:
        """End soon: the training under way goes on at the next start."""
        self._stop.set()

    def run(self) -> None:
        """Train what waits, and look for more, until `stop`."""
        while not self._stop.is_set():
            self._beat()
            try:
                is_idle = not self.step()
            except Exception as error:
                if not is_away(error):
                    log.exception("trainer_failed")
                else:
                    log.warning("trainer_waits", why=str(error)[:500])
                is_idle = True
            if is_idle:
                self._stop.wait(LOOK_S)

    def step(self) -> bool:
        """Tell ends, then take one training as far as it goes; return whether there was any."""
        endings.tell(self._settings)
        with transaction(self._settings) as connection:
            waiting = trainings.waiting(connection, MOST_WAITING)
        self._not_before = {one: at for one, at in self._not_before.items() if one in waiting}
        for scene_id in waiting:
            if self._not_before.get(scene_id, 0.0) > time.monotonic():
                continue
            with ExitStack() as held:
                if held.enter_context(trainings.alone(self._settings, scene_id)):
                    self._take(scene_id)
                    return True
        return False

    def _take(self, scene_id: UUID) -> None:
        """Train in another process until that ends, the scene is cancelled, or we stop."""
        with transaction(self._settings) as connection:
            found = trainings.get(connection, scene_id)
            if found is None or found.ended_at is not None:
                return
            trainings.begin(connection, scene_id)
        if found.cancelled_at is not None:
            endings.cancelled(scene_id, self._settings)
            return
        log.info("training_begins", scene_id=str(scene_id), done=found.done, of=found.runs)
        self._training = scene_id
        status = self._wait_for(scene_id, _started(scene_id), found.done)
        self._training = None
        if status == AWAY:
            self._not_before[scene_id] = time.monotonic() + LATER_S
        elif status:
            self._broken(scene_id, status)
        endings.tell(self._settings)

    def _broken(self, scene_id: UUID, status: int) -> None:
        """Count a process that ended by itself, and end its training where it keeps doing so."""
        log.error("training_process_ended", scene_id=str(scene_id), status=status)
        with transaction(self._settings) as connection:
            ends = trainings.broken(connection, scene_id)
        if ends < MOST_ENDS:
            return
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        sentence = (
            f"the process of this training ended {ends} times by itself, last {how}, before it got "
            "any further; a lack of memory does that. `mela logs trainer` has its last words."
        )
        endings.failed(scene_id, ("TrainingKilled", sentence), self._settings)

    def _wait_for(self, scene_id: UUID, process: subprocess.Popen[bytes], told: int) -> int | None:
        """Return the status of a process once it ends; None where it was made to end."""
        try:
            while True:
                try:
                    return process.wait(TELL_S)
                except subprocess.TimeoutExpired:
                    self._beat()
                if self._stop.is_set():
                    return None
                told, is_wanted = self._seen(scene_id, told)
                if not is_wanted:
                    return None
        finally:
            _end(process)

    def _seen(self, scene_id: UUID, told: int) -> tuple[int, bool]:
        """Tell how far a training is; return that, and whether it is still wanted."""
        try:
            told = endings.say(scene_id, told, self._settings)
            with transaction(self._settings) as connection:
                found = trainings.get(connection, scene_id)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("progress_not_told", scene_id=str(scene_id), why=str(error)[:500])
            return told, True
        return told, found is not None and found.cancelled_at is None

    def _beat(self) -> None:
        """Say that we live, for `mela status` and the health probe."""
        at = time.monotonic()
        if at >= self._beat_at:
            self._beat_at = at + BEAT_S
            state = TrainerState(pid=os.getpid(), at=now(), training=self._training)
            write_state(self._settings.home, state)


def _started(scene_id: UUID) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", str(scene_id)],
        cwd=REPOSITORY,
        env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
        stdin=subprocess.DEVNULL,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have a process ended, whatever it does."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

"""Trainings at the command line: asked for as scenes, followed, and shown."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any
from uuid import UUID

import typer

from cli.console import err, fail, out
from cli.progress import show_progress
from mela.counts import counted
from mela.instants import instant_text
from mela.messages import State
from mela.settings import Settings

if TYPE_CHECKING:
    from services.scenes.trainings import TrainingState

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
SILENCE_S = 3_600.0  # for which nothing may be heard of a training: one fit may take long


def publish_training(
    document: Any, settings: Settings, *, follow: bool, user: str | None = None
) -> None:
    """Publish a training, print its id, and where it is followed its report."""
    from services.scenes.follow import Follower
    from services.scenes.last_scene import note_published
    from services.scenes.trainings import asked_by, send
    from services.trading.callers import at_this_machine

    caller = at_this_machine(settings, user)
    asked = asked_by(caller, document, settings)
    scene_id = asked.training.scene_id
    with Follower(settings, [scene_id]) if follow else nullcontext() as follower:
        published = send(asked, settings, user=user or settings.user)
        note_published(published, settings)
        out.print(str(published))
        err.print(f"published: {counted(asked.fits, 'fit')}")
        if follower is None:
            return
        try:
            last = show_progress(follower.messages(SILENCE_S))
        except KeyboardInterrupt:
            err.print(
                f"the training goes on. Come back with: mela follow {published}\n"
                f"or stop it with: mela cancel {published}",
                markup=False,
            )
            raise typer.Exit(INTERRUPTED) from None
    if last is not None and last.state is State.REJECTED:
        raise fail(f"[{last.code}] {last.field}: {last.sentence}")
    show_training(published, settings)


def show_training(scene_id: UUID, settings: Settings) -> bool:
    """Print what came of a training, or how far it is; tell whether the scene asks for one.

    One of which no model came exits with 1.
    """
    from services.scenes.trainings import model_of, state_of

    state = state_of(scene_id, settings)
    if state is None:
        return False
    if state.report is not None:
        version = model_of(settings, state)
        out.print(state.report, markup=False)
        aliases = f", {' and '.join(version.aliases)}" if version.aliases else ""
        uri = f"models:/{version.name}/{version.version}"
        err.print(f"{uri}{aliases}, SHA-256 {version.sha}", markup=False)
        if "champion" not in version.aliases:
            remark = f"`mela model promote {version.name} {version.version}` makes it the champion"
            err.print(remark, markup=False)
        return True
    err.print(in_words(state), markup=False)
    if state.error is not None:
        raise typer.Exit(1)
    return True


def in_words(state: TrainingState) -> str:
    """Return how far a training is, in a line."""
    fits = f"{state.done:,} of {counted(state.fits, 'fit')}"
    if state.error is not None:
        return f"training {state.name}: no model came of it, after {fits}: {': '.join(state.error)}"
    if state.status == "cancelled":
        return f"training {state.name}: cancelled after {fits}"
    if state.started_at is None:
        return f"training {state.name}: waits for the trainer"
    doing = f", {state.doing}" if state.doing else ""
    return f"training {state.name}: since {instant_text(state.started_at)}, {fits}{doing}"

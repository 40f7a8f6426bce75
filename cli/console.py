"""The two output streams, and how errors are printed."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
import typer
from rich.console import Console

from mela.errors import MelaError, SceneInvalid, SettingsInvalid

WRONG_QUESTION = 2  # the exit code for what cannot be answered, as click has it for options
WIDE = 140  # columns, if the width of the screen is unknown


def _console(*, stderr: bool) -> Console:
    is_screen = (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ
    width = None if is_screen else WIDE
    # no emoji: `here:A:` is a name, and no picture of a letter
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=width, emoji=False)


out = _console(stderr=False)  # results: what a script may read
err = _console(stderr=True)  # progress and remarks

P = ParamSpec("P")
R = TypeVar("R")


def fail(sentence: str, code: int = 1) -> typer.Exit:
    """Print an error and return the exit to raise."""
    err.print("[bold red]error[/]", end=" ")
    err.print(sentence, markup=False)
    return typer.Exit(code)


def explains(command: Callable[P, R]) -> Callable[P, R]:
    """Wrap a command so that an expected error prints one sentence instead of a traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except SceneInvalid as refused:
            ended = fail(f"[{refused.code}] {refused}")
            for one in refused.others:
                fail(f"[{one.code}] {one}")
            raise ended from refused
        except SettingsInvalid as error:
            raise fail(str(error), WRONG_QUESTION) from error
        except MelaError as error:
            raise fail(str(error)) from error
        except Exception as error:
            explanation = _explained(error)
            if explanation is None:
                raise
            raise fail(str(explanation)) from error

    return wrapped


def _explained(error: Exception) -> MelaError | None:
    """Return an error of Postgres in words that help, or None for any other error."""
    if "sqlalchemy" not in sys.modules:  # then the error is not Postgres', and nothing is loaded
        return None
    from sqlalchemy.exc import DBAPIError

    from services.errors import explained

    return explained(error) if isinstance(error, DBAPIError) else None


def quiet_logs() -> None:
    """Send log events of warnings and worse to standard error, so that results stay readable."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )

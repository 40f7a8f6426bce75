"""What every command shares: where it writes, and how it says that something is wrong."""

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
from sqlalchemy.exc import OperationalError, ProgrammingError

from mela.errors import MelaError, SceneInvalid

MISSING = ("42P01", "42703")  # Postgres: no such table, no such column
WIDE = 140  # columns, where nothing tells how wide the reader's screen is


def _console(*, stderr: bool) -> Console:
    is_screen = (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ
    width = None if is_screen else WIDE
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=width)


out = _console(stderr=False)  # results: what a script may read
err = _console(stderr=True)  # everything said beside them

P = ParamSpec("P")
R = TypeVar("R")


def fail(sentence: str, code: int = 1) -> typer.Exit:
    """Say what is wrong and return the exit to raise."""
    err.print("[bold red]error[/]", end=" ")
    err.print(sentence, markup=False)
    return typer.Exit(code)


def explains(command: Callable[P, R]) -> Callable[P, R]:
    """Wrap a command so that errors raised on purpose end in one sentence, not in a traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except SceneInvalid as refused:
            raise fail(f"[{refused.code}] {refused}") from refused
        except MelaError as error:
            raise fail(str(error)) from error
        except ProgrammingError as error:
            if getattr(error.orig, "pgcode", None) not in MISSING:
                raise
            why = str(error.orig).strip().splitlines()[0]
            raise fail(
                f"the warehouse is older than this code ({why}). `mela up` brings it up to date."
            ) from error
        except OperationalError as error:
            why = str(error.orig).strip().splitlines()[0]
            raise fail(
                f"the warehouse does not answer: {why}. Start the stack with `mela up`."
            ) from error

    return wrapped


def quiet_logs() -> None:
    """Send logs of warnings and worse to standard error, so that results stay readable."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )

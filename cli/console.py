"""What every command shares: where it writes, and how it says that something is wrong."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
import typer
from rich.console import Console

from mela.errors import MelaError, SceneInvalid

out = Console(highlight=False, soft_wrap=True)  # results: what a script may read
err = Console(stderr=True, highlight=False, soft_wrap=True)  # everything said beside them

P = ParamSpec("P")
R = TypeVar("R")


def fail(sentence: str) -> typer.Exit:
    """Say what is wrong and return the exit to raise: code 1."""
    err.print("[bold red]error[/]", end=" ")
    err.print(sentence, markup=False)
    return typer.Exit(1)


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
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )

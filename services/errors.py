"""Errors of Postgres as errors that name what the caller can do."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from mela.errors import AccessDenied, MelaError, SourceUnavailable, StackFailed
from mela.settings import Settings

MISSING = ("42P01", "42703")  # Postgres: no such table, no such column
CREDENTIALS = (
    "password authentication failed",
    "no password supplied",
    "authentication failed",
    "role ",
)


def explained(error: DBAPIError, settings: Settings | None = None) -> MelaError | None:
    """Return the MelaError that a caller can act on, or None for an error of our own making."""
    first_line = str(error.orig).strip().splitlines()[0]
    if isinstance(error, ProgrammingError):
        if getattr(error.orig, "pgcode", None) not in MISSING:
            return None
        return StackFailed(
            f"the warehouse is older than this code ({first_line}). `mela up` brings it up to date."
        )
    if not isinstance(error, OperationalError):
        return None
    if "FATAL" not in first_line:
        return SourceUnavailable(
            f"the warehouse does not answer: {first_line}. Start the stack with `mela up`."
        )
    why = first_line.partition("FATAL:")[2].strip()
    if why.startswith(CREDENTIALS):
        user = (settings or Settings()).postgres.user
        return AccessDenied(
            f"the warehouse refused the user {user}: {why}. Correct MELA_POSTGRES__USER and "
            "MELA_POSTGRES__PASSWORD."
        )
    return StackFailed(f"the warehouse refused the connection: {why}")

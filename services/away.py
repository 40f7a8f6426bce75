"""Errors that say that a service is away, so that the same may succeed later."""

from __future__ import annotations

from confluent_kafka import KafkaException
from psycopg2 import Error as DriverError
from psycopg2 import InterfaceError, OperationalError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mela.errors import SourceUnavailable

# SQLSTATE classes that say nothing about the content: connection, rollback (a deadlock, say),
# resources, locks, an operator's intervention, the server's own system.
AWAY_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})
NO_SUCH_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


def is_away(error: BaseException) -> bool:
    """Tell whether an error says that a service cannot be reached, rather than what it was given.

    >>> is_away(ConnectionRefusedError()), is_away(ValueError("a price below 0"))
    (True, False)
    """
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_driver_away(error.orig)
    if isinstance(error, DriverError):
        return _is_driver_away(error)
    if isinstance(error, OSError):  # a disk that is full, a socket, too many open files
        return not isinstance(error, NO_SUCH_FILE)
    return isinstance(error, SourceUnavailable | KafkaException | PoolTimeout)


def _is_driver_away(error: BaseException | None) -> bool:
    state = getattr(error, "pgcode", None)
    if state:
        return str(state)[:2] in AWAY_CLASSES
    return isinstance(error, OperationalError | InterfaceError)

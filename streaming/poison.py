"""One law for all four queries: whatever a unit of work holds, it cannot stop the others for good.

A unit is a scene, a chunk or a result. If a service is away, the error propagates: Spark repeats
the batch until the service is back, and `mela status` shows that the query does not run. Any other
error belongs to the unit. It is tried a few times, and then the unit ends with the reason.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from confluent_kafka import KafkaException
from psycopg2 import Error as DriverError
from psycopg2 import InterfaceError, OperationalError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.contextvars import bind_contextvars, clear_contextvars

from mela.errors import SourceUnavailable

log = structlog.get_logger()
ATTEMPTS = 3
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


def contained(
    unit: str, work: Callable[[], None], give_up: Callable[[Exception], None], **keys: str
) -> None:
    """Do one unit's work; where it keeps failing by itself, end the unit with the reason.

    work: may be repeated
    give_up: ends the unit; what it raises goes up
    keys: name the unit in the log, in every event of its work
    Raises what says that a service is away.
    """
    clear_contextvars()
    bind_contextvars(**keys)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            work()
        except Exception as error:
            if is_away(error):
                raise
            if attempt == ATTEMPTS:
                log.exception("unit_given_up", unit=unit, attempts=attempt, **keys)
                give_up(error)
        else:
            return

"""One law for all four queries: whatever a unit of work holds, it cannot stop the others for good.

A unit is a scene, a chunk or a result. If a service is away, the error propagates: Spark repeats
the batch until the service is back, and `mela status` shows that the query does not run. Any other
error belongs to the unit. It is tried a few times, and then the unit ends with the reason.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from services.away import is_away

__all__ = ["ATTEMPTS", "contained", "is_away"]

log = structlog.get_logger()
ATTEMPTS = 3


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

"""The partitions of raw.candle: below a day, each interval has a table for each year."""

from __future__ import annotations

import numpy as np
import structlog
from numpy.typing import NDArray
from psycopg2.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from mela.interval import Interval
from mela.settings import Settings
from warehouse.database import transaction

LOG = structlog.get_logger(__name__)
_WAIT = text("SET LOCAL lock_timeout = '3s'")
_ENSURE = text("SELECT raw.ensure_candle_years(:interval, :years)")


def ensure_years(settings: Settings, interval: Interval, opened_ms: NDArray[np.int64]) -> int:
    """Make the partitions that candles need, and return how many were missing.

    opened_ms: (n,) UTC milliseconds To be called before the load's transaction: making one locks
    the interval's default partition, and nobody shall wait for that as long as a load takes. If a
    long query holds that lock, the candles go to the default partition, and move when a later load
    finds the lock free.
    """
    if not len(opened_ms) or not interval.is_intraday:
        return 0
    years = np.unique(opened_ms.astype("datetime64[ms]").astype("datetime64[Y]")).astype(int) + 1970
    values = {"interval": interval.value, "years": years.tolist()}
    try:
        with transaction(settings) as connection:
            connection.execute(_WAIT)
            return connection.execute(_ENSURE, values).scalar_one()
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        LOG.warning("partitions_postponed", interval=interval.value, years=values["years"])
        return 0

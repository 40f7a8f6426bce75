"""The warehouse's candles for runs in this process, as the platform's runs read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mela.candles import Candles
from mela.interval import Interval
from mela.run import Run
from mela.settings import Settings
from services.errors import explained
from warehouse.candles.reader import WAREHOUSE, CandleReader, CandlesRead
from warehouse.candles.run_series import read_series
from warehouse.database import transaction


def stored_series(settings: Settings) -> Callable[[Sequence[Run]], Mapping[str, Candles]]:
    """Return what reads the candles of runs of one account and span.

    They come from where the platform's runs read them: Postgres, or the snapshot MELA_CANDLES.
    Raises SourceUnavailable or AccessDenied where Postgres does not answer; what is returned
    raises CandlesMissing for an instrument that was never loaded.
    """
    if settings.candles == WAREHOUSE:
        _ask_whether_it_is_there(settings)
    reader = CandleReader(settings)

    def series_of(runs: Sequence[Run]) -> Mapping[str, Candles]:
        first = runs[0]

        def read(instrument: str, interval: Interval, warmup: int) -> CandlesRead:
            return reader.read(instrument, interval, first.start, first.end, warmup, first.prices)

        return read_series(runs, read).candles

    return series_of


def _ask_whether_it_is_there(settings: Settings) -> None:
    try:
        with transaction(settings) as connection:
            connection.execute(text("SELECT FROM ops.instrument LIMIT 1"))
    except DBAPIError as error:
        explanation = explained(error, settings)
        if explanation is None:
            raise
        raise explanation from error

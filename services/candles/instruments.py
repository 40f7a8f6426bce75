"""The facts of an instrument, and how a user states them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from mela.errors import CandlesMissing, InputInvalid
from mela.instrument import FactOrigin, Instrument, parse_name
from mela.name_suggestions import did_you_mean, ended
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.ingestion.ingest import tell_facts

LOG = structlog.get_logger(__name__)
STATED_BY = "mela instrument"


def known_instrument(name: str, settings: Settings) -> Instrument:
    """Return what the warehouse knows of an instrument.

    Raises InputInvalid for a malformed name, CandlesMissing for an instrument never loaded.
    """
    _check(name)
    with transaction(settings) as connection:
        found = instruments.known(connection, [name]).get(name)
        question = "" if found else did_you_mean(name, instruments.names(connection))
    if found is None:
        raise CandlesMissing(
            f"{ended(f'{name} was never loaded{question}')} Load it: "
            f"mela ingest {name} --interval … --from …, or "
            f"mela import FILE --instrument {name} where its candles are a file's"
        )
    return found


def known_instruments(names: Iterable[str], settings: Settings) -> Mapping[str, Instrument]:
    """Return what the warehouse knows of instruments; those that were never loaded are left out."""
    with transaction(settings) as connection:
        return instruments.known(connection, names)


def known_or_none(names: Iterable[str], settings: Settings) -> Mapping[str, Instrument]:
    """Return what the warehouse knows of instruments; nothing if it does not answer.

    For those who only look ahead: the planner asks again, and refuses what is wrong.
    """
    try:
        return known_instruments(names, settings)
    except DBAPIError as error:
        LOG.warning("instruments_not_checked", reason=str(error.orig).strip())
        return {}


def tell_instrument(name: str, facts: Mapping[str, Any], settings: Settings) -> Instrument:
    """Store facts that a user tells, and return what is known then. They go before all others.

    If a fact changes that runs rest on, all series of the instrument get a revision, so that stored
    results are computed again. Raises as `known_instrument` does.
    """
    known = known_instrument(name, settings)
    tell_facts(known.with_facts(facts, FactOrigin("told", STATED_BY)), settings)
    return known_instrument(name, settings)


def _check(name: str) -> None:
    try:
        parse_name(name)
    except ValueError as error:
        raise InputInvalid("instrument", f"{error}.") from error

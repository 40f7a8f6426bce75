"""What stops a unit of work and what repeats a batch."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException
from psycopg2 import OperationalError as DriverOperationalError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DataError, OperationalError

from backtests.simulate import error_message
from mela.errors import CandlesInvalid, SourceUnavailable
from streaming.poison import ATTEMPTS, contained, is_away

NOBODY = "postgresql+psycopg2://nobody:nothing@127.0.0.1:1/none"


def test_a_service_that_cannot_be_reached_is_away() -> None:
    with pytest.raises(OperationalError) as caught, create_engine(NOBODY).connect():
        pass

    assert is_away(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        SourceUnavailable("Kafka did not take 3 messages"),
        KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN)),
        DriverOperationalError("server closed the connection unexpectedly"),
        OSError(errno.ENOSPC, "no space left on device"),
        TimeoutError(),
    ],
)
def test_services_and_disks_that_fail_are_away(error: Exception) -> None:
    assert is_away(error)


@pytest.mark.parametrize(
    "error",
    [
        CandlesInvalid("a dividend must be below the close before it"),
        DataError("INSERT", {}, ValueError("integer out of range")),
        FileNotFoundError("snapshot.parquet"),
        MemoryError(),
        RecursionError(),
        KeyError("strategy"),
    ],
)
def test_what_a_unit_holds_is_not(error: Exception) -> None:
    assert not is_away(error)


@pytest.mark.integration
def test_what_postgres_says_of_a_value_is_not(warehouse) -> None:
    engine = create_engine(warehouse.postgres.url())
    with pytest.raises(DataError) as caught, engine.connect() as connection:
        connection.execute(text("SELECT CAST('99999999999999' AS integer)"))

    assert not is_away(caught.value)


def raising(error: Exception, times: int, done: list[int]) -> Callable[[], None]:
    def work() -> None:
        done.append(len(done))
        if len(done) <= times:
            raise error

    return work


def test_a_unit_that_keeps_failing_is_given_up_once_with_its_reason() -> None:
    done: list[int] = []
    given_up: list[Exception] = []

    contained("scene", raising(ValueError("poison"), 99, done), given_up.append)

    assert len(done) == ATTEMPTS
    assert [error_message(error) for error in given_up] == [("ValueError", "poison")]


def test_a_unit_that_fails_once_is_done() -> None:
    done: list[int] = []
    given_up: list[Exception] = []

    contained("scene", raising(ValueError("a race"), 1, done), given_up.append)

    assert len(done) == 2
    assert not given_up


def test_a_service_that_is_away_goes_up_at_once() -> None:
    done: list[int] = []

    with pytest.raises(SourceUnavailable):
        contained("scene", raising(SourceUnavailable("away"), 9, done), lambda _: None)

    assert len(done) == 1

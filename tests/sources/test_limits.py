"""sources/limits.py, breaker.py, service.py: how often a service is asked, and when it is not."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mela.errors import SourceRefused, SourceUnavailable
from sources.breaker import Breaker
from sources.limits import Bucket, Limit
from sources.retry import RetryPolicy, ServiceBusy
from sources.service import Service, forget_services, service_of

ONCE = RetryPolicy(attempts=1, first_s=0.001, longest_s=0.002, total_s=5.0)


class Clock:
    """Time that passes only when somebody rests."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        self.now += seconds


def bucket(burst: float, per_s: float, window: float | None = None) -> tuple[Bucket, Clock]:
    clock = Clock()
    return Bucket(Limit(burst, per_s, window), clock, clock.rest), clock


def test_a_burst_passes_at_once_and_the_rest_evenly() -> None:
    tokens, clock = bucket(burst=3, per_s=2)
    at = []
    for _ in range(6):
        tokens.take()
        at.append(clock.now - 1000)
    assert at == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5]


@settings(max_examples=60, deadline=None)
@given(
    costs=st.lists(st.integers(1, 5), min_size=1, max_size=60),
    rests=st.lists(st.floats(0, 3), min_size=60, max_size=60),
)
def test_no_window_ever_sees_more_than_the_burst_and_what_flows_in(
    costs: list[int], rests: list[float]
) -> None:
    tokens, clock = bucket(burst=5, per_s=2)
    taken = []
    for cost, rest in zip(costs, rests, strict=False):
        clock.rest(rest)
        tokens.take(cost)
        taken.append((clock.now, cost))
    for i, (since, _) in enumerate(taken):
        for until, _ in taken[i:]:
            spent = sum(cost for at, cost in taken[i:] if at <= until)
            assert spent <= 5 + 2 * (until - since) + 1e-6


def test_threads_share_one_bucket() -> None:
    """Eight threads want ten tokens each, at 400 a second after 10 at once: 0.175 s at least."""
    from time import monotonic

    tokens = Bucket(Limit(burst=10, per_s=400))
    began = monotonic()
    threads = [
        threading.Thread(target=lambda: [tokens.take() for _ in range(10)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert monotonic() - began >= 70 / 400


def test_a_pause_holds_everybody() -> None:
    tokens, clock = bucket(burst=5, per_s=1)
    tokens.pause(30)
    tokens.take()
    assert clock.now == 1030
    assert tokens.paused_s() == 0


def test_a_wait_longer_than_the_patience_is_said_at_once_and_costs_nothing() -> None:
    tokens, clock = bucket(burst=1, per_s=1)
    tokens.pause(600)
    with pytest.raises(SourceUnavailable, match="in 600 s") as caught:
        tokens.take(longest_s=120)
    assert caught.value.retry_after_s == 600
    clock.rest(600)
    tokens.take(longest_s=0)


def test_what_the_service_counts_is_heeded() -> None:
    """Another process used 95 of the 100 that this minute has."""
    tokens, clock = bucket(burst=50, per_s=1, window=100)
    tokens.report_used(95)
    tokens.take(5)
    assert clock.now == 1000
    tokens.take(3)
    assert clock.now == 1003


@pytest.mark.parametrize("limit", [(0, 1), (1, 0)])
def test_a_limit_that_lets_nobody_pass_is_none(limit: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Limit(*limit)


def test_the_breaker_opens_after_failures_in_a_row_and_says_until_when() -> None:
    clock = Clock()
    breaker = Breaker("Binance", failures=3, pause_s=60, clock=clock)
    for _ in range(2):
        breaker.record_failure("503.")
    breaker.record_success()  # in a row is meant
    for _ in range(3):
        breaker.check()
        breaker.record_failure("503.")
    with pytest.raises(
        SourceUnavailable, match=r"Binance failed 3 times.*until 20.*Z.*503"
    ) as said:
        breaker.check()
    assert said.value.retry_after_s == 60


def test_after_the_pause_one_request_tries() -> None:
    clock = Clock()
    breaker = Breaker("Binance", failures=1, pause_s=60, clock=clock)
    breaker.record_failure("cut.")
    clock.rest(60)
    breaker.check()
    with pytest.raises(SourceUnavailable):
        breaker.check()  # one tries already
    breaker.record_failure("cut.")
    with pytest.raises(SourceUnavailable) as said:
        breaker.check()  # another pause
    assert said.value.retry_after_s == 60
    clock.rest(60)
    breaker.check()
    breaker.record_success()
    breaker.check()
    breaker.check()


def test_a_trial_that_never_reached_the_service_leaves_the_next_one_its_chance() -> None:
    clock = Clock()
    breaker = Breaker("Binance", failures=1, pause_s=1, clock=clock)
    breaker.record_failure("cut.")
    clock.rest(1)
    breaker.check()
    breaker.record_nothing()
    breaker.check()


def test_a_service_that_fails_is_not_asked_any_more() -> None:
    service = Service("X", Limit(100, 100), Breaker("X", failures=4, pause_s=60))
    asked: list[int] = []

    def fails() -> None:
        asked.append(1)
        raise ServiceBusy("X answered 503.")

    quick = RetryPolicy(attempts=3, first_s=0.001, longest_s=0.002)
    with pytest.raises(SourceUnavailable, match="after 3 attempts"):
        service.ask(fails, quick)
    with pytest.raises(SourceUnavailable, match="X failed 4 times in a row"):
        service.ask(fails, quick)
    with pytest.raises(SourceUnavailable, match="not asked until"):
        service.ask(fails, quick)
    assert len(asked) == 4


def test_a_refusal_is_an_answer() -> None:
    service = Service("X", Limit(100, 100), Breaker("X", failures=2))
    for outcome in (ServiceBusy("503."), SourceRefused("no such symbol"), ServiceBusy("503.")):
        with pytest.raises((SourceRefused, SourceUnavailable)):
            service.ask(_raising(outcome), ONCE)
    assert service.ask(lambda: 7, ONCE) == 7


def test_a_wait_that_was_asked_for_holds_all_and_opens_nothing() -> None:
    service = Service("X", Limit(100, 100), Breaker("X", failures=1))
    with pytest.raises(SourceUnavailable, match="418") as said:
        service.ask(_raising(ServiceBusy("X answered 418.", 600.0)), ONCE)
    assert said.value.retry_after_s == 600
    asked: list[int] = []
    with pytest.raises(SourceUnavailable, match=r"next one in (600|59\d) s"):
        service.ask(lambda: asked.append(1), ONCE)
    assert asked == []


def test_a_host_is_one_service_to_the_whole_process() -> None:
    limit = Limit(1, 1)
    first = service_of("Binance", "http://127.0.0.1:1/api", limit)
    assert service_of("Binance", "http://127.0.0.1:1/other", Limit(9, 9)) is first
    assert service_of("Binance", "http://127.0.0.1:2", limit) is not first
    assert service_of("Yahoo", "http://127.0.0.1:1", limit) is not first
    forget_services()
    assert service_of("Binance", "http://127.0.0.1:1", limit) is not first


def test_the_wait_survives_a_journey_between_processes() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(SourceUnavailable("busy", 7.0)))  # noqa: S301
    assert (str(error), error.retry_after_s) == ("busy", 7.0)


def _raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call

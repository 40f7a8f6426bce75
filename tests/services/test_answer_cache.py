"""Answers that are kept: one computes them, whatever fails is not kept, and they end."""

from __future__ import annotations

import threading
import time

import pytest

from services.answer_cache import KeptAnswers


def test_of_many_who_ask_at_once_one_computes() -> None:
    kept: KeptAnswers[int] = KeptAnswers(10, 60.0)
    computed: list[int] = []

    def compute() -> int:
        time.sleep(0.05)
        computed.append(1)
        return 7

    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(kept.of("key", compute))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [7] * 8
    assert computed == [1]


def test_what_fails_is_not_kept() -> None:
    kept: KeptAnswers[int] = KeptAnswers(10, 60.0)

    with pytest.raises(ZeroDivisionError):
        kept.of("key", lambda: 1 // 0)

    assert kept.of("key", lambda: 3) == 3


def test_an_answer_without_a_key_is_computed_each_time() -> None:
    kept: KeptAnswers[int] = KeptAnswers(10, 60.0)
    values = iter((1, 2))

    assert [kept.of(None, lambda: next(values)) for _ in range(2)] == [1, 2]


def test_the_least_used_goes_first_and_all_end() -> None:
    kept: KeptAnswers[str] = KeptAnswers(2, 60.0)
    for key in ("a", "b"):
        kept.of(key, lambda key=key: key)
    kept.of("a", lambda: "again")
    kept.of("c", lambda: "c")

    assert kept.of("a", lambda: "new") == "a"
    assert kept.of("b", lambda: "new") == "new"
    short: KeptAnswers[int] = KeptAnswers(2, 0.0)
    assert [short.of("key", lambda: 1), short.of("key", lambda: 2)] == [1, 2]

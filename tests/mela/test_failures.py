"""Each reason for which runs failed is said once, the most frequent first."""

from __future__ import annotations

from mela.failures import Failure, failures_in

HERE = {"class": "KeyError", "sentence": "'fast'", "file": "ideas.py", "line": 17}
OLDER = {"class": "TimeLimit", "sentence": "it ran too long"}  # stored before places were


def test_equal_reasons_count_and_the_most_frequent_comes_first() -> None:
    documents = [{"error": one} for one in (OLDER, HERE, None, HERE)]

    assert failures_in(documents) == [
        Failure(2, "KeyError", "'fast'", "ideas.py", 17),
        Failure(1, "TimeLimit", "it ran too long"),
    ]

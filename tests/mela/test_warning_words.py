"""Every warning that a result may have has a sentence, and the page of metrics lists the same."""

from __future__ import annotations

import re
from pathlib import Path

from mela.warning_words import SENTENCES, sentence_of, warnings_in

REPOSITORY = Path(__file__).parents[2]


def test_the_page_of_metrics_lists_the_codes_that_have_a_sentence() -> None:
    page = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    section = page.partition("\n## Warnings\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]

    assert {code for cell in cells for code in re.findall("`([a-z0-9_]+)`", cell)} == set(SENTENCES)


def test_a_sharpe_that_nobody_sustains_names_the_check_of_that_strategy() -> None:
    row = {"warnings": ["sharpe_above_5"], "strategy": {"name": "my_idea"}}

    [(code, sentence, runs)] = warnings_in([row])

    assert (code, runs) == ("sharpe_above_5", 1)
    assert "`mela check my_idea`" in sentence


def test_warnings_are_counted_and_the_most_frequent_is_first() -> None:
    def row(*codes: str) -> dict[str, object]:
        return {"warnings": list(codes), "strategy": {"name": "x"}}

    told = warnings_in([row("gaps"), row("gaps", "short_span"), row()])

    assert [(code, runs) for code, _, runs in told] == [("gaps", 2), ("short_span", 1)]


def test_what_limits_refused_is_counted_once_for_each_limit() -> None:
    rows = [
        {"warnings": [f"risk_refused:cooldown_s={times}"], "strategy": {"name": "x"}}
        for times in (1, 7)
    ]

    assert warnings_in(rows) == [
        ("risk_refused:cooldown_s", "limits of risk refused entries: cooldown_s", 2)
    ]
    assert warnings_in(rows[:1])[0][1] == "limits of risk refused entries: cooldown_s, once"


def test_a_code_of_a_later_release_stands_for_itself() -> None:
    assert sentence_of("of_tomorrow") == "of_tomorrow"

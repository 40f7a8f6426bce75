"""A strategy's verdict is stored for its source, and each result of that source says it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mela.result import Result
from mela.settings import Settings
from mela.verdict import Verdict
from tests.warehouse.given import TODAY, a_document, a_run, a_scene, answer, load
from warehouse.database import transaction
from warehouse.results import finder, verdicts

pytestmark = pytest.mark.integration
DIGEST = TODAY["sma_cross"].strategy_digest
COVERAGE = [{"candles_of": "a walk", "cuts": 3, "cuts_possible": 9}]


def stored(settings: Settings, *given: Verdict) -> verdicts.StoredCheck | None:
    with transaction(settings) as connection:
        for verdict in given:
            verdicts.store(connection, DIGEST, "sma_cross", verdict, COVERAGE)
        return verdicts.find(connection, [DIGEST, "0" * 64]).get(DIGEST)


def result_of(settings: Settings) -> dict[str, Any]:
    with transaction(settings) as connection:
        found = finder.find(connection, [a_run()], TODAY, "the-asking-scene")
    return json.loads(found[a_run().run_key])


def test_what_a_check_found_is_kept_with_its_coverage(warehouse: Settings) -> None:
    assert stored(warehouse) is None
    kept = stored(warehouse, Verdict.CLEAN)
    assert kept is not None
    assert (kept.verdict, kept.coverage) == (Verdict.CLEAN, COVERAGE)


@pytest.mark.parametrize("later", [one for one in Verdict if one is not Verdict.FOUND])
def test_a_proof_is_not_cleared_by_another_check(warehouse: Settings, later: Verdict) -> None:
    """A check on other candles or parameters may find nothing, and proves nothing by it."""
    kept = stored(warehouse, later, Verdict.FOUND, later)
    assert kept is not None
    assert kept.verdict is Verdict.FOUND


def test_a_doubt_gives_way_to_what_a_later_check_found(warehouse: Settings) -> None:
    kept = stored(warehouse, Verdict.NOT_VERIFIED, Verdict.DEPENDS_ON_HISTORY, Verdict.CLEAN)
    assert kept is not None
    assert kept.verdict is Verdict.CLEAN


def test_a_stored_result_says_what_is_known_by_now(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 96))
    document = a_document(a_run(), a_scene(warehouse))
    with transaction(warehouse) as connection:
        assert finder.save(connection, [document]) == []

    assert document["lookahead"] == result_of(warehouse)["lookahead"] == "not_verified"
    stored(warehouse, Verdict.DEPENDS_ON_HISTORY)

    found = result_of(warehouse)
    assert Result.model_validate(found).lookahead is Verdict.DEPENDS_ON_HISTORY
    assert found["result_key"] == document["result_key"]

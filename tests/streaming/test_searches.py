"""A report travels in a message: what is long goes first, the numbers stay."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from uuid import uuid4

import orjson

from mela.messages import Progress, State
from mela.settings import Settings
from streaming.searches import report_on, short
from warehouse.scenes.stored_scene import StoredScene

REPORT: dict[str, Any] = {
    "statistics": {"dsr": 0.5},
    "walk_forward": {
        "sharpe": 1.0,
        "equity": {"at": ["2023-01-01T00:00:00Z"] * 1_000, "equity": [1.0] * 1_000},
        "instruments": {"a:X": {"folds": [{"choice": "x" * 100}] * 100}},
    },
}


def test_a_short_report_is_sent_whole() -> None:
    assert short(REPORT, 10**6) == REPORT
    assert short(None, 10) is None


def test_a_long_one_loses_its_curve_then_its_folds() -> None:
    middle = short(REPORT, 20_000)
    assert middle is not None
    assert set(middle["walk_forward"]) == {"sharpe", "instruments"}
    least = short(REPORT, 1_000)
    assert least is not None
    assert least["walk_forward"] == {"sharpe": 1.0}
    assert least["statistics"] == REPORT["statistics"]
    assert len(orjson.dumps(least)) < 1_000


def test_a_message_carries_it() -> None:
    said = Progress.model_validate(
        {"scene_id": uuid4(), "state": State.FINISHED, "at": "2024-01-01T00:00:00Z"}
        | {"report": REPORT}
    )
    assert Progress.model_validate_json(said.to_bytes()).report == REPORT


def stored(content: dict[str, Any]) -> StoredScene:
    """Return a finished scene of some content."""
    words = dict.fromkeys(one.name for one in fields(StoredScene))
    counts = {"runs": 1, "skipped": 0, "cached": 0}
    told = {"scene_id": str(uuid4()), "status": "finished", "content": content, "best": {}}
    return StoredScene(**{**words, **counts, **told})


def test_a_scene_that_searches_nothing_is_not_judged() -> None:
    scene = stored({"strategy": {"name": "sma_cross"}})
    assert report_on(scene, None, Settings()) is None


def test_a_scene_that_cannot_be_judged_says_why_and_stops_nobody() -> None:
    """A scene of an older version, say, whose content is no longer a scene."""
    scene = stored({"search": {"kind": "grid", "space": {}}})
    report = report_on(scene, None, Settings())
    assert report is not None
    assert "could not be judged" in report["reason"]

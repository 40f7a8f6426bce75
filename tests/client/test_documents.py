"""A scene as a user gives it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from client.documents import document_of
from mela.errors import RejectionCode, SceneInvalid
from mela.scene import parse_scene
from mela.settings import REPOSITORY

FIRST = REPOSITORY / "docs/scenes/first.yaml"


def test_a_mapping_a_text_a_path_and_a_scene_say_the_same() -> None:
    scene = parse_scene(document_of(FIRST))
    given = [FIRST, str(FIRST), FIRST.read_text(), document_of(FIRST), scene]
    assert {parse_scene(document_of(one)).content_hash() for one in given} == {scene.content_hash()}


def test_dates_and_tuples_of_python_become_values_of_json() -> None:
    given: dict[str, Any] = {
        "instruments": ("here:A",),
        "start": date(2023, 1, 1),
        "end": datetime(2023, 2, 1, tzinfo=UTC),
        "strategy": {"name": "sma_cross"},
    }
    assert document_of(given) == {
        "instruments": ["here:A"],
        "start": "2023-01-01",
        "end": "2023-02-01T00:00:00Z",
        "strategy": {"name": "sma_cross"},
    }


def test_a_time_without_a_zone_stays_as_it_is_written_so_that_the_check_names_it() -> None:
    naive = datetime(2023, 1, 1, 12)  # noqa: DTZ001 - what somebody may write
    assert document_of({"start": naive}) == {"start": "2023-01-01T12:00:00"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a: [", "the text cannot be read as YAML or JSON"),
        ("nowhere.yaml", r"nowhere\.yaml cannot be read as YAML or JSON: No such file"),
        (Path("nowhere"), "nowhere cannot be read"),
        ("- 1", "expected an object with a scene's fields, but found list"),
        ("", "but found nothing"),
    ],
)
def test_what_is_no_scene_is_refused_with_a_sentence(given: Any, said: str) -> None:
    with pytest.raises(SceneInvalid, match=said) as refused:
        document_of(given)
    assert refused.value.code in (RejectionCode.NOT_JSON, RejectionCode.INVALID_FIELD)

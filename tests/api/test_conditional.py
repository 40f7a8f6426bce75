"""An answer that a browser has already holds only as long as nothing that it shows has changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import text

from services.scenes import scene_facts, scene_pages
from tests.api.lived_in import Team, team  # noqa: F401  a fixture
from warehouse.database import transaction

pytestmark = pytest.mark.integration


def again(team: Team, path: str, first: httpx.Response) -> httpx.Response:  # noqa: F811
    return team.trader.get(path, headers={"If-None-Match": first.headers["ETag"]})


@contextmanager
def unfinished(team: Team, scene_id: str) -> Iterator[None]:  # noqa: F811
    """Let a scene be under way for a while."""
    values = {"id": scene_id}
    with transaction(team.settings) as connection:
        at = connection.scalar(
            text("SELECT finished_at FROM ops.scene WHERE scene_id = :id"), values
        )
        connection.execute(
            text(
                "UPDATE ops.scene SET status = 'planned', finished_at = NULL WHERE scene_id = :id"
            ),
            values,
        )
    scene_facts.forget()
    try:
        yield
    finally:
        with transaction(team.settings) as connection:
            connection.execute(
                text("""UPDATE ops.scene SET status = 'finished', finished_at = :at
                        WHERE scene_id = :id"""),
                {**values, "at": at},
            )
        scene_facts.forget()


def test_a_run_is_shown_anew_once_its_scene_has_ended(team: Team) -> None:  # noqa: F811
    """Its rank is not known before."""
    path = f"/runs/{team.runs('grid')[0]['run_key']}"
    with unfinished(team, team.scene("grid")):
        first = team.trader.get(path)
        assert again(team, path, first).status_code == 304
    later = again(team, path, first)
    assert later.status_code == 200
    assert again(team, path, later).status_code == 304


def test_a_scene_is_shown_anew_once_its_page_in_mlflow_is_known(
    team: Team,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene_id, run_id = team.scene("grid"), "0" * 32
    path, page = f"/scenes/{scene_id}", "http://127.0.0.1:5000/#/experiments/1/runs/0"
    monkeypatch.setitem(scene_pages._mlflow_pages, run_id, (None, float("inf")))
    with transaction(team.settings) as connection:
        connection.execute(
            text("UPDATE ops.scene SET mlflow_run_id = :run WHERE scene_id = :id"),
            {"id": scene_id, "run": run_id},
        )
    first = team.trader.get(path)
    assert first.json()["mlflow_url"] is None
    assert again(team, path, first).status_code == 304
    monkeypatch.setitem(scene_pages._mlflow_pages, run_id, (page, float("inf")))
    later = again(team, path, first)
    assert (later.status_code, later.json()["mlflow_url"]) == (200, page)
    assert again(team, path, later).status_code == 304

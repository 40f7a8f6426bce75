"""Models as the warehouse records them: who may promote one, and what needs no MLflow."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from forecasts import registry
from forecasts.reference import pinned
from mela.errors import NotAllowed, NotFound
from mela.settings import Settings
from services.accounts import audit
from services.accounts.accounts import Caller, Role, scopes_of
from services.models import model_record, models
from services.models.process_models import models_of
from services.tracking.mlflow_client import client_of
from tests.forecasts.test_registry import OF_MLFLOW, trained
from tests.warehouse.given import rows
from warehouse import model_files
from warehouse.database import transaction

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings(OF_MLFLOW)]


def caller(role: Role) -> Caller:
    return Caller(1, 1, "ada", role, scopes_of(role), "session")


@pytest.fixture
def settings(warehouse: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return a warehouse, and an MLflow whose store is a file."""
    monkeypatch.chdir(tmp_path)  # where it puts artifacts
    url = f"sqlite:///{tmp_path}/mlflow.db"
    return warehouse.model_copy(
        update={
            "mlflow": warehouse.mlflow.model_copy(update={"url": url, "user": ""}),
            "cache": tmp_path / "cache",
        }
    )


def away(settings: Settings) -> Settings:
    """Return settings whose MLflow does not answer."""
    nowhere = settings.mlflow.model_copy(update={"url": "http://127.0.0.1:9"})
    return settings.model_copy(update={"mlflow": nowhere})


def test_what_mlflow_alone_knows_is_recorded_with_its_aliases(settings: Settings) -> None:
    """Of a release that did not record models in the warehouse."""
    client = client_of(settings)
    registry.register(client, trained())
    registry.register(client, trained(label={"kind": "forward_return", "horizon": 2}))
    registry.promote(client, "first", 2)
    client.set_registered_model_alias("first", "steady", "1")
    assert models.listed(settings) == []

    third = trained(label={"kind": "forward_return", "horizon": 3})
    model_record.register(settings, third)

    found = {one.version: one.aliases for one in models.listed(settings)}
    assert found == {1: ("steady",), 2: ("champion",), 3: ("challenger",)}
    shown = models.shown(away(settings), "first", "3")
    assert (shown.card, shown.report) == (third.card, third.report)
    assert registry.version(client, "first").version == 2


def test_without_mlflow_models_are_listed_shown_promoted_and_rolled_back(
    settings: Settings,
) -> None:
    made = [trained(), trained(label={"kind": "forward_return", "horizon": 2})]
    for one in made:
        model_record.register(settings, one)
    nowhere = away(settings)

    assert [one.sha for one in models.listed(nowhere)] == [made[1].sha, made[0].sha]
    done = models.promote(nowhere, caller(Role.TRADER), "first", 2)
    assert (done.version.version, done.in_mlflow) == (2, False)
    assert models.shown(nowhere, "first").card == made[1].card
    assert registry.version(client_of(settings), "first").version == 1  # it shows it later

    model_record.register(settings, trained(label={"kind": "forward_return", "horizon": 3}))
    assert registry.version(client_of(settings), "first").version == 2
    with pytest.raises(NotFound, match="records no model first with the version or alias '9'"):
        models.shown(nowhere, "first", "9")


def test_files_of_models_go_that_nothing_names(settings: Settings) -> None:
    made = [trained(label={"kind": "forward_return", "horizon": one}) for one in range(1, 6)]
    for one in made:  # the first is champion, the last challenger
        model_record.register(settings, one)
    scene = {"strategy": {"name": "forecast", "params": {"model": pinned("first", 2, made[1].sha)}}}
    insert = """
        INSERT INTO ops.scene (scene_id, content, content_hash, topic, partition, "offset")
        VALUES (:one, CAST(:content AS jsonb), 'x', 't', 0, 0) RETURNING scene_id
    """
    rows(settings, insert, one=uuid4(), content=json.dumps(scene))
    rows(settings, "UPDATE ops.model_file SET kept_at = now() - interval '9 days' RETURNING 1")
    files = models_of(settings)
    files.keep(pinned("first", 3, made[2].sha))  # named a moment ago

    with transaction(settings) as connection:
        assert model_files.prune(connection, 8, dry_run=True)[0] == 1
        assert model_files.prune(connection, 10, dry_run=False) == (0, 0)
        assert model_files.prune(connection, 8, dry_run=False) == (1, len(made[3].content))
        kept = [model_files.is_kept(connection, one.sha) for one in made]
    assert kept == [True, True, True, False, True]

    rows(settings, "UPDATE ops.scene SET status = 'cancelled', cancelled_at = now() RETURNING 1")
    with transaction(settings) as connection:
        assert model_files.prune(connection, 8, dry_run=False)[0] == 1
    files.keep(pinned("first", 4, made[3].sha))  # asked by its number again: MLflow has it
    with transaction(settings) as connection:
        assert model_files.find(connection, made[3].sha) == made[3].content


def test_a_trader_promotes_and_a_viewer_does_not_and_both_are_noted(settings: Settings) -> None:
    client = client_of(settings)
    registry.register(client, trained())
    registry.register(client, trained(label={"kind": "forward_return", "horizon": 2}))

    with pytest.raises(NotAllowed, match="needs the role trader, but ada is a viewer"):
        models.promote(settings, caller(Role.VIEWER), "first", 2)
    assert registry.version(client, "first").version == 1

    done_now = models.promote(settings, caller(Role.TRADER), "first", 2)
    now, before = done_now.version, done_now.before

    assert (now.version, before and before.version, done_now.in_mlflow) == (2, 1, True)
    assert "champion" in models.shown(settings, "first").version.aliases
    assert registry.version(client, "first").version == 2
    done, refused, *_ = audit.page(settings, action="promote_model").items
    assert (done.outcome, done.subject, done.user) == ("done", "first/2", "ada")
    assert done.detail == {"sha256": now.sha, "before": 1}
    assert (refused.outcome, refused.detail) == ("refused", {"role": "viewer"})

"""Who may promote a model, and what the audit log keeps of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from forecasts import registry
from mela.errors import NotAllowed
from mela.settings import Settings
from services.accounts import audit
from services.accounts.accounts import Caller, Role, scopes_of
from services.models import models
from services.tracking.mlflow_client import client_of
from tests.forecasts.test_registry import OF_MLFLOW, trained

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings(OF_MLFLOW)]


def caller(role: Role) -> Caller:
    return Caller(1, 1, "ada", role, scopes_of(role), "session")


@pytest.fixture
def settings(warehouse: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return a warehouse, and an MLflow whose store is a file."""
    monkeypatch.chdir(tmp_path)  # where it puts artifacts
    url = f"sqlite:///{tmp_path}/mlflow.db"
    return warehouse.model_copy(
        update={"mlflow": warehouse.mlflow.model_copy(update={"url": url, "user": ""})}
    )


def test_a_trader_promotes_and_a_viewer_does_not_and_both_are_noted(settings: Settings) -> None:
    client = client_of(settings)
    registry.register(client, trained())
    registry.register(client, trained(label={"kind": "forward_return", "horizon": 2}))

    with pytest.raises(NotAllowed, match="needs the role trader, but ada is a viewer"):
        models.promote(settings, caller(Role.VIEWER), "first", 2)
    assert registry.version(client, "first").version == 1

    now, before = models.promote(settings, caller(Role.TRADER), "first", 2)

    assert (now.version, before and before.version) == (2, 1)
    assert "champion" in models.shown(settings, "first").version.aliases
    done, refused = audit.page(settings, action="promote_model").items
    assert (done.outcome, done.subject, done.user) == ("done", "first/2", "ada")
    assert done.detail == {"sha256": now.sha, "before": 1}
    assert (refused.outcome, refused.detail) == ("refused", {"role": "viewer"})

from __future__ import annotations

from pathlib import Path

import pytest

import stack
from mela.errors import StackFailed
from mela.settings import Settings
from stack import control, environment, registry, replay
from stack.service import Site
from stack.supervision import Supervisor


def test_a_part_brings_what_it_needs() -> None:
    assert list(registry.chosen({"spark"}, offline=False)) == ["postgres", "kafka", "spark"]


def test_airflow_stands_for_its_components() -> None:
    names = list(registry.chosen({"airflow"}, offline=False))

    components = {"airflow-api-server", "airflow-scheduler", "airflow-dag-processor"}
    assert names[0] == "postgres"
    assert set(names[1:]) == components


def test_the_replay_runs_offline_only() -> None:
    assert "replay" not in registry.chosen(None, offline=False)
    assert "replay" in registry.chosen(None, offline=True)


OURS = {replay.PORT: "20003", environment.REPLAY: "http://127.0.0.1:20003"}


@pytest.mark.parametrize(
    ("kept", "asked", "whole", "offline", "said"),
    [
        (OURS, None, True, True, "packaged candles, as before; `mela up --online` asks"),
        (OURS, False, True, False, "no longer used; the market's services are asked"),
        (OURS, True, True, True, None),
        (OURS, None, False, False, None),  # a part of the stack leaves the choice as it is
        ({}, None, True, False, None),
        ({replay.PORT: "20003"}, None, True, False, None),
        # somebody's own server is none of ours, and stays as it is
        ({**OURS, environment.REPLAY: "http://127.0.0.1:1"}, None, True, False, None),
    ],
)
def test_a_start_keeps_the_market_of_the_last_one_and_says_so(
    kept: dict[str, str], asked: bool | None, whole: bool, offline: bool, said: str | None
) -> None:
    told: list[tuple[str, str]] = []

    found = control.market(kept, asked, lambda *event: told.append(event), whole=whole)

    assert found is offline
    assert [service for service, _ in told] == ([] if said is None else ["replay"])
    assert said is None or told[0][1].startswith(said)


def test_an_offline_stack_is_taken_online_only_when_asked(tmp_path: Path) -> None:
    """`mela up` after an offline demo, down to what stack.env says to the clients."""
    settings = Settings(home=tmp_path)
    environment.update(tmp_path, OURS)
    supervisor = Supervisor(tmp_path)

    for asked, url in ((None, OURS[environment.REPLAY]), (False, None)):
        site = Site(environment.fresh(settings), environment.read(tmp_path))
        offline = control.market(site.kept, asked, lambda *_: None, whole=True)
        chosen = control.choose_market(site, supervisor, offline=offline, whole=True)
        assert chosen.settings.replay_url == url
        assert environment.fresh(settings).replay_url == url


@pytest.fixture(autouse=True)
def _no_replay_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environment.REPLAY, raising=False)


def test_every_service_stands_behind_those_it_needs() -> None:
    seen: set[str] = set()
    for name, service in registry.services().items():
        assert set(service.needs) <= seen
        seen.add(name)


def test_an_unknown_service_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with pytest.raises(StackFailed, match=r"expected a service among .* but found 'oracle'"):
        stack.up(Settings(home=tmp_path / "home"), only={"oracle"})

    assert not (tmp_path / "home").exists()


def test_a_stack_that_never_ran_is_stopped_and_has_nothing_to_stop(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")

    stack.down(settings)

    assert {one.state for one in stack.status(settings)} == {"stopped"}
    assert not (tmp_path / "home").exists()

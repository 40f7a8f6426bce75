from __future__ import annotations

from pathlib import Path

import pytest

import stack
from mela.errors import StackFailed
from mela.settings import Settings
from stack import registry


def test_a_part_brings_what_it_needs() -> None:
    assert list(registry.chosen({"spark"}, offline=False)) == ["postgres", "kafka", "spark"]


def test_airflow_stands_for_its_components() -> None:
    names = list(registry.chosen({"airflow"}, offline=False))

    assert names[0] == "postgres"
    assert len(names) == 5


def test_the_replay_runs_offline_only() -> None:
    assert "replay" not in registry.chosen(None, offline=False)
    assert "replay" in registry.chosen(None, offline=True)


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

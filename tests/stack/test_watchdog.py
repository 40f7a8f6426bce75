"""When the watchdog restarts a service, and when it leaves it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import registry, watchdog
from stack.watchdog import CALM_S, Memory, Patience, Sight, State, came_back, is_due, restarted

PATIENCE = Patience(restart_after_s=120, start_s=600)
DEAD = "it has not sent a heartbeat"
OLD = 0.0  # a process that started long ago


class Watched:
    """One service, seen every ten seconds."""

    def __init__(self) -> None:
        self.memory, self.now = Memory(), 10_000.0

    def see(self, sight: Sight, seconds: float = 10) -> bool:
        """See the same for some seconds; tell whether a restart was due, which ends it."""
        until = self.now + seconds
        while self.now < until:
            self.now += 10
            if is_due(self.memory, sight, PATIENCE, self.now):
                restarted(self.memory, self.now)
                return True
        return False


@pytest.fixture
def watched() -> Watched:
    found = Watched()
    assert not found.see(Sight(7, OLD, None))
    return found


def test_what_is_unhealthy_for_longer_than_the_bound_is_restarted(watched: Watched) -> None:
    assert not watched.see(Sight(7, OLD, DEAD), 120)
    assert watched.see(Sight(7, OLD, DEAD), 10)
    assert (watched.memory.restarts, watched.memory.reason) == (1, DEAD)


def test_a_moment_of_health_begins_the_wait_anew(watched: Watched) -> None:
    assert not watched.see(Sight(7, OLD, DEAD), 110)
    assert not watched.see(Sight(7, OLD, None))
    assert not watched.see(Sight(7, OLD, DEAD), 120)


def test_nothing_is_restarted_that_was_never_healthy() -> None:
    watched = Watched()
    assert not watched.see(Sight(7, OLD, DEAD), 5_000)


def test_nothing_is_restarted_while_what_it_depends_on_is_down(watched: Watched) -> None:
    assert not watched.see(Sight(7, OLD, DEAD), 110)
    assert not watched.see(Sight(7, OLD, DEAD, waits_for="postgres"), 5_000)
    assert not watched.see(Sight(7, OLD, DEAD), 120), "its own wait begins when postgres is back"
    assert watched.see(Sight(7, OLD, DEAD), 10)


def test_a_new_process_has_its_start_time_and_then_the_bound(watched: Watched) -> None:
    born = watched.now
    assert not watched.see(Sight(8, born, "it does not answer yet"), 600 + 110)
    assert watched.see(Sight(8, born, "it does not answer yet"), 30)


def test_a_process_that_was_healthy_is_past_its_start(watched: Watched) -> None:
    born = watched.now
    assert not watched.see(Sight(8, born, None))
    assert watched.see(Sight(8, born, DEAD), 130)


def test_postgres_that_replays_its_log_is_left_alone(watched: Watched) -> None:
    busy = "no answer to SELECT 1: FATAL: the database system is starting up"
    assert not watched.see(Sight(7, OLD, busy), 5_000)


def test_a_stopped_service_is_left_alone(watched: Watched) -> None:
    assert not watched.see(Sight(0, OLD, "it does not run"), 5_000)


def test_waits_double_until_an_hour_and_begin_anew_after_calm(watched: Watched) -> None:
    waits = []
    for number in range(7):
        pid, before = 8 + number, watched.now
        assert not watched.see(Sight(pid, OLD, None))
        assert watched.see(Sight(pid, OLD, DEAD), 4_000)
        waits.append(round(watched.now - before - 20))
    assert waits == [120, 240, 480, 960, 1920, 3600, 3600]
    assert not watched.see(Sight(99, OLD, None), CALM_S + 10)
    assert not watched.see(Sight(99, OLD, DEAD), 120)
    assert watched.see(Sight(99, OLD, DEAD), 10)


def test_a_recovery_is_noticed_once(watched: Watched) -> None:
    assert not came_back(watched.memory)
    assert watched.see(Sight(7, OLD, DEAD), 130)
    assert not came_back(watched.memory)
    watched.see(Sight(8, watched.now, None))
    assert came_back(watched.memory)
    assert not came_back(watched.memory)


def test_dependencies_count_at_any_remove_and_through_the_probe() -> None:
    known = registry.services()
    depends_on = {name: (*one.needs, *one.asks) for name, one in known.items()}
    down = {"postgres": "it does not run"}

    assert watchdog.waits_for("airflow-scheduler", depends_on, down) == "postgres"
    assert watchdog.waits_for("spark", depends_on, down) == "postgres"
    assert watchdog.waits_for("kafka", depends_on, down) is None
    silent = {"airflow-api-server": "no answer", "airflow-scheduler": "no answer"}
    assert watchdog.waits_for("airflow-scheduler", depends_on, silent) == "airflow-api-server"
    assert watchdog.waits_for("airflow-api-server", depends_on, silent) is None


def test_the_memory_survives_the_watchdog(tmp_path: Path) -> None:
    assert watchdog.read(tmp_path) is None
    state = State(pid=1, at=2.0, services={"mlflow": Memory(restarts=3, reason=DEAD)})
    watchdog.write(tmp_path, state)
    assert watchdog.read(tmp_path) == state
    watchdog.file_of(tmp_path).write_text("{")
    assert watchdog.read(tmp_path) is None


def test_a_note_says_when_how_often_and_why() -> None:
    assert watchdog.note(Memory()) is None
    memory = Memory(restarts=2, restarted_at=0.0, reason=DEAD)
    assert watchdog.note(memory) == (
        "restarted 2 times by the watchdog, last at 1970-01-01 00:00:00Z, because it ran and was "
        f"unhealthy ({DEAD})"
    )

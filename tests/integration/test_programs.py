"""The programs of the page on programs run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mela.settings import REPOSITORY, KafkaSettings, Settings
from messaging import connection
from tests.integration.asking import CASH, publish, scene_of
from warehouse.database import transaction
from warehouse.results import finder

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
PAGE = (REPOSITORY / "docs/programs.md").read_text(encoding="utf-8")
CLIENT, SECURED, NOTEBOOK, STORED = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(
    program: str, *words: str, folder: Path, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program in an environment that says nothing of Mela but where its home is."""
    file = folder / "program.py"
    file.write_text(program, encoding="utf-8")
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "HOME": str(folder)}
    if home is not None:
        env["MELA_HOME"] = str(home)
    return subprocess.run(
        [sys.executable, str(file), *words],
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_a_plain_kafka_client_publishes_and_reads_all_answers(
    platform: Settings, tmp_path: Path
) -> None:
    done = run(CLIENT, platform.kafka.brokers, str(next(CASH)), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = sorted(line.split() for line in done.stdout.splitlines())
    assert [line[:2] for line in lines] == [
        ["binance:BTCUSDT", "succeeded"],
        ["binance:ETHUSDT", "succeeded"],
    ]
    assert all(float(line[2]) for line in lines)


def test_the_options_of_a_guarded_stack_are_those_of_our_own_clients() -> None:
    given: dict[str, Any] = {}
    exec(SECURED, given)  # noqa: S102 - the page's own text
    kafka = KafkaSettings(protocol="SASL_SSL", user="a", reader="b", ca=Path("ca.pem"))
    for reads, name in ((False, "publisher"), (True, "reader")):
        ours = connection.client(kafka, reads=reads)
        assert set(ours) - {"bootstrap.servers"} == set(given[name]) - {"group.id"}
    assert given["reader"]["group.id"].startswith(connection.READER_GROUPS)


def test_a_plain_client_reads_why_its_scene_is_refused(platform: Settings, tmp_path: Path) -> None:
    done = run(CLIENT, platform.kafka.brokers, "-1", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("invalid_field cash: ")


def test_a_notebooks_cell_runs_a_search_without_a_service(tmp_path: Path) -> None:
    done = run(NOTEBOOK, folder=tmp_path, home=tmp_path)
    assert done.returncode == 0, done.stderr
    head, *rows = [line.split() for line in done.stdout.splitlines()]
    assert head == ["fast", "slow", "sharpe", "max_drawdown", "trades"]
    ranked = [float(row[2]) for row in rows]
    assert len(rows) == 6
    assert ranked == sorted(ranked, reverse=True)


def test_a_notebooks_cell_reads_the_newest_scene(platform: Settings, tmp_path: Path) -> None:
    scene = scene_of()
    publish(scene, platform)
    done = run(STORED, folder=tmp_path, home=platform.home)
    assert done.returncode == 0, done.stderr
    with transaction(platform) as connection:
        [row] = finder.of_scene(connection, scene.scene_id, order_by=scene.ranking)
    name, status, sharpe, _ = done.stdout.splitlines()[1].split()
    assert (name, status) == ("[binance:BTCUSDT]", "succeeded")
    assert float(sharpe) == pytest.approx(row["sharpe"], rel=1e-5)

"""Spark reads a port from the daemon's standard output: nothing else may stand there."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from functools import partial
from pathlib import Path

from pyspark import cloudpickle

from mela.settings import REPOSITORY, Settings
from streaming import tasks

PRINTING = """
print('842019382 is printed while a strategy is loaded')
raise ValueError('and it fails')
"""


def test_what_a_strategy_prints_is_not_taken_for_the_port(tmp_path: Path) -> None:
    packages = tmp_path / "packages" / "loud-1.0.dist-info"
    packages.mkdir(parents=True)
    (packages / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    (packages / "entry_points.txt").write_text("[mela.strategies]\nloud = loud\n")
    (tmp_path / "packages" / "loud.py").write_text(PRINTING)
    env = {**os.environ, "MELA_HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}

    with subprocess.Popen(
        [sys.executable, "-m", "streaming.daemon"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as daemon:
        assert daemon.stdout is not None
        (port,) = struct.unpack("!i", daemon.stdout.read(4))
        _, errors = daemon.communicate(timeout=60)

    assert 0 < port < 65_536
    assert b"842019382" in errors


def test_what_workers_are_given_imports_nothing_after_their_fork() -> None:
    """Each module of a worker's own makes the collection after each of its tasks slower."""
    work = [partial(one, settings=Settings()) for one in (tasks.execute, tasks.store)]
    unpickled = (
        "import pickle, sys, streaming.tasks; known = set(sys.modules);"
        "pickle.load(sys.stdin.buffer); print(*set(sys.modules) - known, 'mlflow' in known)"
    )

    found = subprocess.run(
        [sys.executable, "-c", unpickled],
        input=cloudpickle.dumps(work),
        capture_output=True,
        check=True,
        cwd=REPOSITORY,
    )

    assert found.stdout.split() == [b"False"]


def test_workers_import_nothing_to_read_and_send_results() -> None:
    """As pandas is imported by pyarrow for the first array that a process makes."""
    read = (
        "import sys, numpy as np, pyarrow as pa; from streaming import tasks; tasks.preload();"
        "known = set(sys.modules); pa.array(['a'], pa.string()); pa.array([None, b'a']);"
        "pa.array(np.array([1.0]), mask=np.array([True]));"
        "table = pa.table({'a': [1]}); table['a'].to_numpy(); table['a'].to_pylist();"
        "print(*set(sys.modules) - known, 'pandas' in known)"
    )

    found = subprocess.run(
        [sys.executable, "-c", read], capture_output=True, check=True, cwd=REPOSITORY
    )

    assert found.stdout.split() == [b"True"]


def test_what_the_first_task_leaves_is_looked_through_by_no_later_collection() -> None:
    begun = (
        "import gc; from streaming import tasks; kept = [[] for _ in range(1_000)];"
        "tasks.begin(); first = gc.get_freeze_count();"
        "tasks.begin(); second = gc.get_freeze_count();"
        "kept += [[] for _ in range(1_000)];"
        "tasks.begin(); print(first, second > 1_000, gc.get_freeze_count() == second)"
    )

    found = subprocess.run(
        [sys.executable, "-c", begun], capture_output=True, check=True, cwd=REPOSITORY
    )

    assert found.stdout.split() == [b"0", b"True", b"True"]

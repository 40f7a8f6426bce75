from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from stack.sweep import processes, sweep


@contextmanager
def _running(home: Path, service: str, code: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "MELA_STACK": str(home), "MELA_SERVICE": service}
    child = subprocess.Popen(
        (sys.executable, "-c", f"print(flush=True); {code}"),
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_sweep_ends_its_own_stack_and_no_other(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    with (
        _running(mine, "kafka", "import time; time.sleep(60)") as ours,
        _running(other, "kafka", "import time; time.sleep(60)") as theirs,
    ):
        assert [found.pid for found in processes(mine)] == [ours.pid]

        assert sweep(mine) == 1

        assert not psutil.pid_exists(ours.pid)
        assert theirs.poll() is None


def test_a_sweep_of_one_service_spares_the_others(tmp_path: Path) -> None:
    with (
        _running(tmp_path, "mlflow", "import time; time.sleep(60)") as swept,
        _running(tmp_path, "kafka", "import time; time.sleep(60)") as spared,
    ):
        sweep(tmp_path, service="mlflow")

        assert not psutil.pid_exists(swept.pid)
        assert spared.poll() is None


def test_what_does_not_heed_term_is_killed(tmp_path: Path) -> None:
    ready = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True)"
    with _running(tmp_path, "kafka", f"{ready}; import time; time.sleep(60)") as child:
        assert child.stdout is not None
        child.stdout.readline()

        sweep(tmp_path, grace_s=0.5)

        assert not psutil.pid_exists(child.pid)

"""streaming/confinement.py: what a confined process can no longer reach."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mela.settings import REPOSITORY

PROGRAM = """
import os, subprocess, sys
from pathlib import Path
from mela.settings import Settings
from streaming.confinement import confine

home = Path(os.environ["MELA_HOME"])
assert confine(Settings())

def reaches(place):
    try:
        place.read_bytes()
    except PermissionError:
        return False
    return True

for place in sys.argv[1:]:
    print(place, reaches(Path(place)))
child = [sys.executable, "-c", f"open({str(home / 'stack.env')!r})"]
print("a child", subprocess.run(child, stderr=subprocess.DEVNULL).returncode == 0)
(home / "spark" / "mine").write_text("x")
(home / "spark" / "mine").rename(home / "spark" / "yours")
(home / "spark" / "yours").rename(home / "cache" / "yours")
print("settings", Settings().spark.chunk_runs)
import sqlalchemy
"""


def test_a_confined_process_and_its_children_reach_no_secret_of_the_stack(tmp_path: Path) -> None:
    secrets = ("stack.env", "run/supervisord.conf", "mlflow-sign-in.ini", "kafka/tls/admin.pem")
    for name in (*secrets, "kafka/tls/ca.pem", "packages/mine.py", "spark/state.json", "cache/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("MELA_SPARK__CHUNK_RUNS='77'\n", encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "MELA_HOME": str(tmp_path),
        "MELA_KAFKA__CA": str(tmp_path / "kafka/tls/ca.pem"),
    }
    closed = [str(tmp_path / name) for name in secrets]
    closed += [f"/proc/{os.getpid()}/environ", f"/proc/{os.getpid()}/maps"]
    kept = ("kafka/tls/ca.pem", "packages/mine.py", "spark/state.json", "cache/x")
    still_open = [*(str(tmp_path / name) for name in kept), "/proc/self/environ", __file__]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *closed, *still_open],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines() if line[0] != "2")
    assert answers == {
        **dict.fromkeys(closed, "False"),
        **dict.fromkeys(still_open, "True"),
        "a child": "False",
        "settings": "250",  # of the environment and the defaults: stack.env is closed
    }

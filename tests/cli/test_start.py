"""The command line answers at once: what takes seconds to load waits until it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mela.settings import REPOSITORY

SLOW = ("numba", "pandas", "scipy", "pyarrow", "matplotlib", "arch", "mlflow", "airflow", "pyspark")
ASK = "import sys, cli.main; print(*sorted(set(sys.argv[1:]) & set(sys.modules)))"


def test_help_loads_no_engine() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, *SLOW], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.split() == []


PUBLISH = """
import sys
from pathlib import Path

from mela.settings import REPOSITORY
from typer.testing import CliRunner
from cli.main import app
said = CliRunner().invoke(app, ["publish", "docs/scenes/first.yaml"])
print(said.exit_code, said.stderr)
print("loaded:", *sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def test_publish_loads_what_checks_a_scene_and_no_more(tmp_path: Path) -> None:
    """Pandas came with TA-Lib, and SQLAlchemy for the sake of users: half of its time."""
    heavy = ("pandas", "sqlalchemy", "pyarrow", "matplotlib", "mlflow", "pyspark", "plotly")
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH, *heavy],
        env={**os.environ, "MELA_HOME": str(tmp_path), "MELA_KAFKA__BROKERS": "127.0.0.1:1"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "no Kafka answers at 127.0.0.1:1" in done.stdout  # so far it came
    assert done.stdout.splitlines()[-1] == "loaded:"

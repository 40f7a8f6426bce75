"""The command line answers at once: what takes seconds to load waits until it is needed."""

from __future__ import annotations

import subprocess
import sys

SLOW = ("numba", "pandas", "scipy", "pyarrow", "matplotlib", "arch", "mlflow", "airflow", "pyspark")
ASK = "import sys, cli.main; print(*sorted(set(sys.argv[1:]) & set(sys.modules)))"


def test_help_loads_no_engine() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, *SLOW], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.split() == []

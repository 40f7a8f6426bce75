"""Building the star: dbt as a program of its own, told where the warehouse is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mela.errors import MelaError
from mela.settings import REPOSITORY, Settings

TIMEOUT_S = 600


def build(settings: Settings) -> str:
    """Run `dbt build`; return its last line, the counts. Raises MelaError with what dbt said."""
    postgres = settings.postgres
    scratch = settings.home / "dbt"
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("dbt")),
            "--no-use-colors",
            "--no-send-anonymous-usage-stats",
            "build",
            "--project-dir",
            str(REPOSITORY / "dbt"),
            "--profiles-dir",
            str(REPOSITORY / "dbt"),
        ],
        env={
            **os.environ,
            "MELA_POSTGRES__HOST": postgres.host,
            "MELA_POSTGRES__PORT": str(postgres.port),
            "MELA_POSTGRES__DATABASE": postgres.database,
            "MELA_POSTGRES__USER": postgres.user,
            "MELA_POSTGRES__PASSWORD": postgres.password.get_secret_value(),
            "DBT_TARGET_PATH": str(scratch / "target"),
            "DBT_LOG_PATH": str(scratch / "logs"),
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode != 0:
        said = "\n".join(lines[-30:]) or done.stderr
        raise MelaError(f"dbt build failed; its log is in {scratch / 'logs'}:\n{said}")
    return lines[-1]

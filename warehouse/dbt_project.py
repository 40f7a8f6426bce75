"""The dbt project that builds the star schema: its location, environment, manifest and build."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mela.errors import MelaError
from mela.settings import REPOSITORY, Settings

PROJECT = REPOSITORY / "dbt"
PROFILE, TARGET = "mela", "warehouse"
BUILD_S = 1_800  # minutes on a busy machine, for what takes 40 s on a quiet one
_PARSE_S = 900
_KEPT = 3
_PARTS = ("models", "macros", "tests", "seeds", "snapshots", "analyses")


def program() -> str:
    """Return the path of this environment's dbt."""
    return str(Path(sys.executable).with_name("dbt"))


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables of the project's profile. They hold a password: do not log them."""
    postgres = settings.postgres
    return {
        "MELA_POSTGRES__HOST": postgres.host,
        "MELA_POSTGRES__PORT": str(postgres.port),
        "MELA_POSTGRES__DATABASE": postgres.database,
        "MELA_POSTGRES__USER": postgres.user,
        "MELA_POSTGRES__PASSWORD": postgres.password.get_secret_value(),
        "MELA_POSTGRES__MARTS_ROLE": postgres.marts_role,
    }


def build(settings: Settings) -> str:
    """Run `dbt build` and return its last line, the counts. Raises MelaError with dbt's output."""
    return _dbt(settings, settings.home / "dbt", "build", timeout_s=BUILD_S)[-1]


def manifest(settings: Settings) -> Path:
    """Return the project's manifest. Runs `dbt parse` if the project has changed.

    The manifest lies in MELA_HOME under the project's digest, so readers never see a torn or
    outdated one. Raises MelaError with dbt's output.
    """
    folder = settings.home / "dbt" / "manifests"
    path = folder / f"{digest()}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as scratch:
            _dbt(settings, Path(scratch), "parse", timeout_s=_PARSE_S)
            (Path(scratch) / "target" / "manifest.json").replace(path)
        newest = sorted(folder.glob("*.json"), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in newest[_KEPT:]:
            old.unlink(missing_ok=True)
    return path


def digest() -> str:
    """Return a digest of all files that dbt reads."""
    found = hashlib.sha256()
    files = [PROJECT / "dbt_project.yml", PROJECT / "profiles.yml"]
    files += (file for part in _PARTS for file in (PROJECT / part).rglob("*") if file.is_file())
    for file in sorted(files):
        found.update(f"{file.relative_to(PROJECT)}\0".encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:16]


def command(settings: Settings, *words: str) -> tuple[list[str], dict[str, str]]:
    """Return a dbt command for this warehouse, and its environment, which must not be logged.

    words: dbt's arguments, without the project's folders; dbt writes to MELA_HOME/dbt
    """
    return _command(settings, settings.home / "dbt", *words)


def _command(settings: Settings, scratch: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    return [program(), *words], {
        **os.environ,
        **environment(settings),
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(scratch / "target"),
        "DBT_LOG_PATH": str(scratch / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _dbt(settings: Settings, scratch: Path, *words: str, timeout_s: int) -> list[str]:
    command, variables = _command(settings, scratch, "--no-use-colors", *words)
    try:
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MelaError(
            f"dbt {words[0]} had not ended after {timeout_s} s; its log is in {scratch / 'logs'}. "
            "If this machine is busy, try again when it is less so."
        ) from error
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode != 0:
        output = "\n".join(lines[-30:]) or done.stderr
        raise MelaError(f"dbt {words[0]} failed; its log is in {scratch / 'logs'}:\n{output}")
    return lines

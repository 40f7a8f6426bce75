"""A repository to compare in: the engine as it is here, few golden scenes, and planted changes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numba
import pytest
from click.testing import Result
from numba.core.caching import UserProvidedCacheLocator
from typer.testing import CliRunner

from cli.main import app
from mela.settings import REPOSITORY
from regression.worker import ENGINE, engine_digest

KEPT = ("backtests", "execution", "mela", "requirements")  # what a side is run with
RSI = "backtests/strategies/rsi_reversion.py"
EVENTS = "backtests/kernel/events.py"
SCENES = {
    "rsi_reversion": """
instruments: [binance:BTCUSDT]
interval: 1h
start: 2023-01-01T00:00:00Z
end: 2024-01-01T00:00:00Z
strategy: {name: rsi_reversion}
""",
    "sma_cross": """
instruments: [binance:BTCUSDT, binance:ETHUSDT]
interval: 4h
start: 2022-07-01T00:00:00Z
end: 2024-07-01T00:00:00Z
strategy: {name: sma_cross, params: {fast: 10, slow: 50}}
exits: {stop_loss: 0.05}
""",
    "search_rsi": """
instruments: [binance:BTCUSDT]
interval: 4h
start: 2022-07-01T00:00:00Z
end: 2024-07-01T00:00:00Z
strategy: {name: rsi_reversion}
search: {kind: grid, space: {strategy.params.lower: [25, 30, 35], strategy.params.period: [10, 14]}}
validation: {kind: walk_forward, train: 360d, test: 120d}
""",
}


class Scratch:
    """A repository that nobody else has, and `mela compare` as it would be typed in it."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{file} no longer says {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def commit(self, subject: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Scratch:
    """The repository, its branch `main` at a commit without any change.

    What it compiles stays in pytest's cache: the next session compiles only an edited engine.
    """
    folder = tmp_path_factory.mktemp("scratch")
    cache = getattr(pytestconfig, "cache", None)
    home = cache.mkdir("mela-compare") if cache else tmp_path_factory.mktemp("home")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *KEPT],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():  # it may be removed and not yet committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
    for file in (folder / "backtests" / "scenes").glob("*.yaml"):
        file.unlink()
    for name, text in SCENES.items():
        (folder / "backtests" / "scenes" / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    made = Scratch(folder, home)
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit("As it was")
    give_compiled(home / "compiled" / engine_digest(folder))
    return made


def give_compiled(target: Path) -> None:
    """Give comparisons what this repository has compiled of the same engine: a minute's work.

    Both are named by the engine's sources, so that neither is of another one.
    """
    if target.exists():
        return
    folders = {file.parent for room in ENGINE for file in (REPOSITORY / room).rglob("*.py")}
    for folder in folders:
        name = UserProvidedCacheLocator.get_suitable_cache_subpath(str(folder / "any.py"))
        place = Path(numba.config.CACHE_DIR) / name
        if place.is_dir():
            shutil.copytree(place, target / ".".join(folder.relative_to(REPOSITORY).parts))


@pytest.fixture
def on_branch(scratch: Scratch) -> Iterator[Scratch]:
    """The repository on a new branch of `main`, which is thrown away afterwards."""
    scratch.git("checkout", "--quiet", "-B", "change", "main")
    yield scratch
    scratch.git("reset", "--quiet", "--hard")
    scratch.git("clean", "--quiet", "--force", "-d")
    scratch.git("checkout", "--quiet", "main")


Compare = Callable[..., Result]


@pytest.fixture
def compare(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Compare:
    """`mela compare` in the repository."""
    monkeypatch.chdir(scratch.folder)
    monkeypatch.setenv("MELA_HOME", str(scratch.home))

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["compare", *words])

    return run

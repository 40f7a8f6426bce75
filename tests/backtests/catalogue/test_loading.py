"""Strategies of installed packages and edited files, in a process that goes on running."""

from __future__ import annotations

import shutil
import site
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from backtests.catalogue.files import Watch
from backtests.catalogue.loading import FOLDER, OWN, SHELF
from backtests.indicators import Indicators
from backtests.simulate import provenance, run_all
from backtests.strategies import CATALOGUE, refresh
from backtests.strategy import source_digest
from backtests.testing.instrument import candles_of
from mela.errors import SceneInvalid, StrategyBroken
from mela.grid import plan_runs
from mela.result import Status
from mela.scene import parse_scene

IDEA = '''
import numpy as np

from backtests.signals import Signals
from backtests.strategy import strategy
from mela.run import Part


@strategy(Part, warmup=lambda params: 3)
def idea(candles, params, indicators):
    """Enter on one candle."""
    bars = np.arange(len(candles))
    return Signals(bars == 1, bars == 2)
'''
Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put packages on the Python path as pip would; take them away at the end."""
    place = tmp_path / "installed"
    monkeypatch.syspath_prepend(str(place))

    def put(name: str, *, value: str | None = None, **files: str) -> Path:
        for file, text in files.items():
            path = place / f"{file.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        metadata = place / f"{name}-1.dist-info"
        metadata.mkdir(parents=True, exist_ok=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        lines = f"[mela.strategies]\n{name} = {value or next(iter(files)).replace('__', '.')}\n"
        (metadata / "entry_points.txt").write_text(lines)
        return place

    yield put
    sys.path.remove(str(place))
    refresh()
    assert not CATALOGUE.broken


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of our own folder, in the place of it."""
    copy = tmp_path / "strategies"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with monkeypatch.context() as patched:
        patched.setattr(SHELF, "_watch", Watch(OWN, copy))
        refresh()
        yield copy
    refresh()


def enters(name: str, count: int = 8) -> list[int]:
    candles = candles_of([(9, 9, 9, 9)] * count)
    found = CATALOGUE[name]
    said = found.signals(candles, found.params(), Indicators(candles)).signals()
    return np.flatnonzero(said.enter).tolist()


def why(origin: str) -> str:
    [error] = [broken.error for broken in refresh().broken if origin in broken.origin]
    return error


def test_a_package_is_found_and_forgotten(install: Install) -> None:
    place = install("mine", idea_of_mine=IDEA)

    assert "idea" in refresh()
    assert enters("idea") == [1]
    assert CATALOGUE["idea"].warmup({}) == 3

    shutil.rmtree(place / "mine-1.dist-info")
    assert "idea" not in refresh()
    assert "idea" not in CATALOGUE


def test_an_edit_is_seen_and_a_snapshot_is_not_touched(install: Install) -> None:
    place = install("mine", idea_of_mine=IDEA)
    before = refresh()

    (place / "idea_of_mine.py").write_text(IDEA.replace("bars == 1", "bars == 4"))  # equal length
    after = refresh()

    assert enters("idea") == [4]
    assert len({one["idea"].digest for one in (before, after)}) == 2
    assert len({one["composite"].digest for one in (before, after)}) == 2
    assert before["sma_cross"].digest == after["sma_cross"].digest
    assert CATALOGUE["idea"] is after["idea"]


def test_nothing_changed_costs_little_and_loads_nothing(install: Install) -> None:
    install("mine", idea_of_mine=IDEA)
    refresh()
    time.sleep(0.06)  # until the files are no longer young
    first = refresh()
    took = []
    for _ in range(50):
        begun = time.perf_counter()
        assert refresh() is first
        took.append(time.perf_counter() - begun)

    assert min(took) < 0.001


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (IDEA.replace("return", "retrun"), "SyntaxError"),
        (IDEA + "\nraise SystemExit(3)", "SystemExit: 3 (idea_of_mine.py, line 15)"),
        (IDEA + "\n1 / 0", "ZeroDivisionError: division by zero (idea_of_mine.py, line 15)"),
        ("import no_such_thing", "ModuleNotFoundError"),
    ],
)
def test_what_breaks_is_told_and_comes_back_when_mended(
    install: Install, text: str, said: str
) -> None:
    place = install("mine", idea_of_mine=IDEA)
    refresh()
    (place / "idea_of_mine.py").write_text(text)

    assert said in why("package mine (entry point mine = idea_of_mine)")
    assert "idea" not in CATALOGUE
    assert "sma_cross" in CATALOGUE
    with pytest.raises(StrategyBroken, match=r"idea could not be loaded from package mine"):
        CATALOGUE["idea"]

    (place / "idea_of_mine.py").write_text(IDEA)
    assert not refresh().broken
    assert enters("idea") == [1]


def test_a_package_without_strategies_is_told(install: Install) -> None:
    install("mine", idea_of_mine="x = 1")

    assert "registers no strategy" in why("package mine")


def test_what_never_could_be_loaded_is_called_as_its_entry_point(install: Install) -> None:
    install("mine", idea_of_mine="def")

    with pytest.raises(StrategyBroken, match="strategy mine could not be loaded"):
        refresh()["mine"]


def scene(name: str):
    return parse_scene(
        {
            "instruments": ["a:X"],
            "interval": "1d",
            "start": "2024-01-01T00:00:00Z",
            "end": "2024-01-09T00:00:00Z",
            "strategy": {"name": name},
        }
    )


def test_a_scene_is_refused_and_what_was_planned_fails_by_name(install: Install) -> None:
    place = install("mine", idea_of_mine=IDEA)
    planned = list(plan_runs(scene("idea"), refresh(), max_runs=1).expand())
    (place / "idea_of_mine.py").write_text("def")
    now = refresh()

    with pytest.raises(SceneInvalid) as refused:
        plan_runs(scene("idea"), now, max_runs=1)
    assert (refused.value.code, refused.value.field) == ("unknown_strategy", "strategy.name")
    assert "idea could not be loaded from package mine" in refused.value.sentence

    candles = candles_of([(9, 9, 9, 9)] * 8)
    [outcome] = run_all(candles, planned, catalogue=now.with_failing())
    assert outcome.status is Status.FAILED
    assert outcome.error is not None
    assert outcome.error[0] == "StrategyBroken"
    assert provenance("idea", None, now.with_failing()).strategy_digest
    # so it does in a process that saw several edits since
    (place / "idea_of_mine.py").write_text("def again")
    assert "idea" in refresh().with_failing()


def test_a_name_that_is_taken_is_refused_and_its_holder_stays(install: Install) -> None:
    mine = CATALOGUE["sma_cross"].digest
    install("aaa", first_idea=IDEA.replace("def idea", "def sma_cross"))
    install("bbb", second_idea=IDEA)
    install("ccc", third_idea=IDEA.replace("bars == 1", "bars == 5"))

    assert "already registered by backtests.strategies.sma_cross" in why("package aaa")
    assert "idea of third_idea is already registered by second_idea" in why("package ccc")
    assert CATALOGUE["sma_cross"].digest == mine
    assert enters("idea") == [1]


HELPER = """
from numba import njit

@njit(cache=True)
def bar():
    return 1
"""
USER = (
    IDEA.replace(
        "from mela.run", "from ideas.helper import bar\nfrom numba import njit\nfrom mela.run"
    ).replace("bars == 1", "bars == doubled()")
    + """

@njit(cache=True)
def doubled():
    return 2 * bar()
"""
)


def test_a_package_is_read_whole_compiled_functions_too(install: Install) -> None:
    """Numba would keep `doubled` compiled, as its own file has not changed."""
    files = {"ideas__strategies": USER, "ideas__helper": HELPER, "ideas____init__": ""}
    place = install("mine", **files)
    refresh()
    assert enters("idea") == [2]
    digest = CATALOGUE["idea"].digest

    (place / "ideas" / "helper.py").write_text(HELPER.replace("1", "3"))
    refresh()

    assert enters("idea") == [6]
    assert CATALOGUE["idea"].digest != digest


def test_a_digest_is_of_the_source_that_was_executed(install: Install) -> None:
    """This file is edited by the time that its digest is taken."""
    edited = IDEA.replace("bars == 1", "bars == 4")
    text = IDEA + f"\nfrom pathlib import Path\nPath(__file__).write_text({edited!r})\n"
    install("mine", idea_of_mine=text)

    refresh()
    assert enters("idea") == [1]
    first = CATALOGUE["idea"].digest
    refresh()
    assert enters("idea") == [4]
    second = CATALOGUE["idea"].digest
    install("mine", idea_of_mine=text.replace("\n", "\r\n"))
    refresh()

    assert CATALOGUE["idea"].digest == first != second


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("idea_of_mine:idea", None),
        ("idea_of_mine:other", "idea_of_mine has no other"),
        ("idea_of_mine:Part", "Part is no strategy"),
        ("not_there", "no module named 'not_there'"),
        ("backtests.strategies.sma_cross", "a module of its own package"),
        ("json", "a module of its own package"),
        ("a b c", "expected NAME = package.module"),
        ("x\nhere there is no sign", "expected NAME = package.module"),
    ],
)
def test_an_entry_point_names_a_module_or_a_strategy_in_it(
    install: Install, value: str, said: str | None
) -> None:
    install("mine", value=value, idea_of_mine=IDEA)

    if said is None:
        assert "idea" in refresh()
        assert not CATALOGUE.broken
    else:
        assert said in why("package mine (")
        assert "sma_cross" in CATALOGUE


def test_our_own_files_are_edited_added_and_removed(own: Path) -> None:
    assert CATALOGUE["buy_and_hold"].digest == source_digest((own / "buy_and_hold.py").read_text())
    edited = (own / "buy_and_hold.py").read_text().replace("np.ones", "np.zeros")
    (own / "buy_and_hold.py").write_text(edited)
    (own / "idea.py").write_text(IDEA)
    (own / "ema_cross.py").unlink()

    refresh()

    assert enters("buy_and_hold") == []
    assert CATALOGUE["buy_and_hold"].digest == source_digest(edited)
    assert enters("idea") == [1]
    assert "ema_cross" not in CATALOGUE
    assert sys.modules[f"{OWN}.buy_and_hold"].__file__ == str(own / "buy_and_hold.py")


def test_an_edited_compiled_function_is_compiled_again(own: Path) -> None:
    """Prices stand still, so that a close is never above the last, but always at it."""
    assert enters("volatility_breakout", 17) == []
    text = (own / "volatility_breakout.py").read_text()
    (own / "volatility_breakout.py").write_text(text.replace("close[bar] > ", "close[bar] >= "))

    refresh()

    assert enters("volatility_breakout", 17) == [15, 16]


def test_our_own_broken_file_leaves_the_others(own: Path) -> None:
    (own / "sma_cross.py").write_text("def")

    assert "SyntaxError" in why("strategies/sma_cross.py")
    assert "sma_cross" not in CATALOGUE
    assert "ema_cross" in CATALOGUE


def test_a_package_that_is_installed_editably_is_found_without_a_restart(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites, source = tmp_path / "site", tmp_path / "source"
    sites.mkdir()
    source.mkdir()
    (source / "idea_of_mine.py").write_text(IDEA)
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(sites)])
    install("mine", value="idea_of_mine")
    monkeypatch.setattr(sys, "path", [*sys.path])
    (sites / "__editable__.mine.pth").write_text(f"{source}\n")

    assert "idea" in refresh()
    assert str(source) in sys.path


def test_a_folder_of_packages_comes_last_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    refresh(tmp_path)
    refresh(tmp_path)

    assert sys.path[-1] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1

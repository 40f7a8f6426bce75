"""`mela compare` on commits with planted changes: its report, its pictures, its exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.image as mpimg
import numpy as np
import pytest
from click.testing import Result

from mela.settings import REPOSITORY
from tests.regression.conftest import EVENTS, RSI, Compare, Scratch

pytestmark = pytest.mark.timeout(900)  # in a fresh clone both commits' engines are compiled first
SAMPLE = REPOSITORY / "docs" / "compare" / "report.md"
PAIR = r"-?[\d.]+ → -?[\d.]+"


def said(done: Result) -> str:
    return f"{done.output}\n{done.exception!r}"


def without_what_differs_each_time(report: str) -> str:
    """Return a report without hashes and times."""
    report = re.sub(r"`[0-9a-f]{7,12}`", "`commit`", report)
    return report.partition("### Speed")[0]


def earlier(scratch: Scratch) -> None:
    """Plant the change of an algorithm: buy a little earlier."""
    scratch.edit(RSI, "crosses_below(rsi, params.lower)", "crosses_below(rsi, params.lower + 2)")


def test_an_edited_strategy_moves_its_scenes_with_a_reason(
    on_branch: Scratch, compare: Compare, tmp_path: Path
) -> None:
    earlier(on_branch)
    on_branch.commit("Buy weakness a little earlier")

    done = compare("main", "HEAD", "--out", str(tmp_path / "out"))

    assert done.exit_code == 0, said(done)
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    first, *_ = report.splitlines()
    assert first == (
        "**Passes**: of 3 golden scenes, 2 moved with a reason (changed: strategy rsi_reversion)."
    )
    assert done.stdout.strip() == first
    assert "Buy weakness a little earlier |" in report
    assert re.search(rf"\| rsi_reversion \| binance:BTCUSDT \| .* % → .* % \| {PAIR} \|", report)
    assert "| sma_cross |" not in report.partition("### Speed")[0]
    _has_what_a_decision_needs(report)
    _shows_where_trades_part(report)
    assert len(report) < 65_536
    _names_no_place(report, on_branch, tmp_path)
    [*pictures] = re.findall(r"!\[.*\]\((equity-\d-.*\.png)\)", report)
    assert len(pictures) == 2
    for name in pictures:
        file = tmp_path / "out" / name
        assert mpimg.imread(file).shape[:2] == (400, 960)
        assert file.stat().st_size < 40_000
    _is_the_sample(report, tmp_path / "out", pictures)


def _has_what_a_decision_needs(report: str) -> None:
    halves = re.findall(
        rf"^\| rsi_reversion: binance:BTCUSDT \| {PAIR} \| ({PAIR}) \| ({PAIR}) \| (\d+)% \|$",
        report,
        re.MULTILINE,
    )
    [(first, second, chance)] = halves
    assert first != second
    assert 0 < int(chance) < 100
    for statistic in ("walk-forward, Sharpe", "walk-forward, P(better)", "deflated Sharpe ratio"):
        assert f"| search_rsi | {statistic} |" in report


def _shows_where_trades_part(report: str) -> None:
    parting = report.partition("### Where the trades part")[2]
    [sides] = re.findall(r"\*\*rsi_reversion\*\*.*\n  - BASE: (.*)\n  - HEAD: (.*)\n", parting)
    assert sides[0] != sides[1]
    for side in sides:
        assert re.search(r"long, 2023-\d\d-\d\d \d\d:\d\d at [\d,.]+ to 2023-.* at [\d,.]+", side)


def _names_no_place(report: str, scratch: Scratch, tmp_path: Path) -> None:
    for place in (scratch.folder, scratch.home, tmp_path, REPOSITORY, Path.home()):
        assert str(place) not in report
    assert not re.findall(r"(?<![\w/.:])/(?:tmp|home|root|var|work|usr)/", report)


def _is_the_sample(report: str, folder: Path, pictures: list[str]) -> None:
    """If it should be another: copy what is in the folder to that of the sample."""
    sample = SAMPLE.read_text(encoding="utf-8")
    assert without_what_differs_each_time(report) == without_what_differs_each_time(sample)
    for name in pictures:
        drawn, kept = (mpimg.imread(place / name) for place in (folder, SAMPLE.parent))
        assert drawn.shape == kept.shape
        assert np.abs(drawn - kept).mean() < 0.02


def test_a_change_of_the_engine_without_a_version_fails(
    on_branch: Scratch, compare: Compare
) -> None:
    on_branch.edit(EVENTS, "* (1.0 + slippage)", "* (1.0 + slippage * 1.01)")
    on_branch.commit("Slip a little more")

    done = compare("main", "HEAD", "--scenes", "sma*", "--repeats", "1")

    assert done.exit_code == 1, said(done)
    first, *_ = done.stdout.splitlines()
    assert first == "**Fails**: of 1 golden scene, 1 moved without a reason."
    row = next(line for line in done.stdout.splitlines() if line.startswith("| sma_cross |"))
    assert "`trades`, `equity`, `total_return`" in row
    assert "`ENGINE_VERSION` (trades, equity) or `METRICS_VERSION`" in done.stdout


def test_a_change_of_no_number_is_one_line(
    on_branch: Scratch, compare: Compare, tmp_path: Path
) -> None:
    (on_branch.folder / "NOTES.md").write_text("A note.\n", encoding="utf-8")
    on_branch.commit("Write a note")
    trees = on_branch.git("worktree", "list")

    done = compare(
        "main", "HEAD", "--out", str(tmp_path), "--repeats", "3", "--scenes", "[rs][sm]*"
    )

    assert done.exit_code == 0, said(done)
    [line] = (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(
        r"\*\*Nothing changed\*\*: 2 golden scenes give the same numbers in `[0-9a-f]+` as in "
        r"`[0-9a-f]+`, to the last bit; HEAD takes \d+\.\d\d × the time \([\d.]+ to [\d.]+ in 3 "
        r"repeats\)\.",
        line,
    )
    assert not list(tmp_path.glob("*.png"))
    assert on_branch.git("worktree", "list") == trees
    assert on_branch.git("status", "--porcelain") == ""


def test_strategies_and_scenes_of_one_commit_alone_and_scenes_that_fail(
    on_branch: Scratch, compare: Compare
) -> None:
    """Each is told apart, an edited question cannot hide what moved, and a crash ends nothing."""
    scenes, strategies = (on_branch.folder / "backtests" / x for x in ("scenes", "strategies"))
    plain = (scenes / "rsi_reversion.yaml").read_text(encoding="utf-8")
    (scenes / "gone.yaml").write_text(plain.replace("rsi_reversion", "rate_of_change"))
    (scenes / "fails.yaml").write_text(plain.replace("rsi_reversion", "stochastic"))
    (scenes / "dies.yaml").write_text(plain.replace("rsi_reversion", "macd_cross"))
    base = on_branch.commit("More scenes")
    (strategies / "rate_of_change.py").unlink()
    source = (strategies / "rsi_reversion.py").read_text(encoding="utf-8")
    renamed = source.replace("rsi_reversion", "newcomer").replace("RsiReversion", "Newcomer")
    (strategies / "newcomer.py").write_text(renamed, encoding="utf-8")
    (scenes / "new.yaml").write_text(plain.replace("rsi_reversion", "newcomer"))
    stochastic, macd = (f"backtests/strategies/{x}.py" for x in ("stochastic", "macd_cross"))
    on_branch.edit(stochastic, "    k, d =", '    raise OSError(f"no file {__file__}")\n    k, d =')
    on_branch.edit(macd, "    macd =", "    import os\n\n    os._exit(9)\n    macd =")
    earlier(on_branch)
    (scenes / "rsi_reversion.yaml").write_text(plain.replace("2023-01-01", "2023-02-01"))
    (scenes / "search_rsi.yaml").unlink()
    (scenes / "sma_cross.yaml").unlink()

    done = compare(base, ".", "--scenes", "[!s]*", "--repeats", "1")

    assert done.exit_code == 1, said(done)
    first, *lines = done.stdout.splitlines()
    assert first == (
        "**Fails**: of 6 golden scenes, 2 failing; 2 moved with a reason (changed: strategy "
        "rsi_reversion); 1 of a strategy that is gone; 1 of a strategy that is new."
    )
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines if "| " in line}
    assert "| fails | OSError: no file backtests/strategies/stochastic.py |" in rows["fails"]
    assert "| fails | its process ended with 9 |" in rows["dies"]
    assert "rate_of_change" in rows["gone"]
    assert "| `rate_of_change` | `newcomer` |" in rows["strategies of one alone"]
    assert re.match(r"\| new \| binance:BTCUSDT \| .* % \|", rows["new"])
    assert "| rsi_reversion@BASE (edited in HEAD, here as BASE asks it) |" in done.stdout
    assert "No golden scene here asks for `adx_trend`" in done.stdout
    assert f"{base[:7]} and " in done.stdout  # some changed files
    _names_no_place(done.stdout, on_branch, on_branch.folder)


def test_a_commit_that_is_too_old_is_said_to_be(on_branch: Scratch, compare: Compare) -> None:
    (on_branch.folder / "backtests" / "local.py").unlink()
    old = on_branch.commit("Before scenes ran in one process")

    done = compare(old, "main")

    assert done.exit_code == 3, said(done)
    assert done.stdout == ""
    assert f"{old} ({old[:7]}" in done.stderr
    assert "is too old to be compared: it has no module backtests.local" in done.stderr
    assert on_branch.git("worktree", "list").count("\n") == 0


def test_what_is_no_commit_or_no_repository_is_refused(
    scratch: Scratch, compare: Compare, tmp_path: Path
) -> None:
    done = compare("main", "nowhere")
    assert done.exit_code == 3
    assert "expected a commit of this repository, or . for its working tree" in done.stderr
    assert "'nowhere'" in done.stderr

    done = compare("main", "main", "--scenes", "nothing_*")
    assert done.exit_code == 3
    assert "expected golden scenes in backtests/scenes/*.yaml that 'nothing_*' fits" in done.stderr

    assert compare().exit_code == 2


def test_outside_of_a_repository_it_says_so(
    compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = compare("main")
    assert done.exit_code == 3
    assert "not a git repository" in done.stderr

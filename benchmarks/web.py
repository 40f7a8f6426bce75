"""The web application with the stack up: its reads, its events, its pages in a real Chromium."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import httpx
from playwright.sync_api import Browser
from rich.console import Console

import stack
from benchmarks import web_asking, web_lighthouse, web_pages, web_watched
from benchmarks.candles import minute_candles
from benchmarks.loads import merged
from benchmarks.rows import Row, row
from benchmarks.web_asking import answer_of, client_of, finished, only_run, published, scene_of
from mela.candles import Candles
from mela.instants import from_ms, instant_text
from mela.interval import HOUR_MS, Interval
from mela.settings import REPOSITORY, Settings

NAME = "binance:BTCUSDT"
MINUTES, HOURS = 500_000, 8_760
ACCOUNTS, USERS, THINK_S, WARM_S, SECONDS, SEED = 10, 200, 3.0, 10.0, 40.0, 7
SMALL, GRIDS = 30, 6  # scenes of one run and of 480 that the users read, beside the large ones
PATHS = (
    *("/scenes", "/scenes/new", "/data", "/strategies", "/strategies/sma_cross", "/schedules"),
    *("/trading", "/trading/new", "/account"),
)
REPEATS, WARM, LARGE_REPEATS, PAGES = 20, 3, 3, 5
GIVE_UP_S = 60.0
LARGE_SPACE = {
    "strategy.params.fast": {"from": 1, "to": 100, "step": 1},
    "strategy.params.slow": {"from": 101, "to": 1_100, "step": 1},
}
GRID_SPACE = {
    "strategy.params.fast": {"from": 1, "to": 20, "step": 1},
    "strategy.params.slow": {"from": 30, "to": 53, "step": 1},
}
# About 10,000 trades on the minutes; without costs, which would end the run long before.
MANY_TRADES: Mapping[str, Any] = {
    "strategy": {"name": "sma_cross", "params": {"fast": 8, "slow": 31}},
    "costs": {"fee": 0.0, "slippage": 0.0},
}


def measure(console: Console) -> list[Row]:
    """Start a separate stack with the application, measure it, and stop the stack."""
    home = Settings().home
    settings = Settings(home=home.with_name(home.name + "-bench-web"), mlflow_top=20)
    console.print("bench web: starting a stack of its own: the application, the job, MLflow …")
    settings = stack.up(settings, offline=True, only={"api", "spark", "mlflow"})
    try:
        return _measure(settings, console)
    finally:
        stack.down(settings)


def _measure(settings: Settings, console: Console) -> list[Row]:
    minutes, hours = minute_candles(MINUTES), _hours(HOURS)
    for candles in (minutes, hours):
        merged(settings, candles, NAME)
    url = settings.api.url
    names = web_asking.made_accounts(settings, ACCOUNTS)
    tokens = [web_asking.token_of(url, name) for name in names]
    with client_of(url, tokens[0]) as asked:
        console.print("  publishing what is looked at …")
        runs = _published_runs(settings, asked, minutes)
        large = _published_large(settings, asked, hours)
        others = _published_others(settings, asked, hours)
        with web_pages.opened() as browser:
            shown = [
                *_told(browser, url, names[0], others[-1], console),
                *_scene_page(browser, url, names[0], others[0], large, console),
                *_pages(browser, url, names[0], runs, asked, console),
            ]
        return [
            *shown,
            _reads(url, tokens, [*large, *others], asked, console),
            *_lighthouse(url, names[0], large[0], runs, console),
        ]


def _reads(
    url: str, tokens: list[str], scenes: list[str], asked: httpx.Client, console: Console
) -> Row:
    """Let users in another process read for a while, and return the row of how long it took."""
    runs = [only_run(asked, scene) for scene in scenes]
    took = users(url, tokens, scenes, runs)
    every = sorted(seconds for kind in took.values() for seconds in kind)
    parts = ", ".join(f"{kind} {_p95(kind_s):.3f}" for kind, kind_s in took.items())
    console.print(f"  {len(every):,} reads; p95 by what was asked: {parts}")
    return row(
        "web.reads_p95",
        [_p95(every)],
        "s, 95th percentile",
        "lower",
        minimum=0.150,
        aim=0.100,
        note=f"{USERS} users with {len(tokens)} accounts read a list, a scene, its runs, a run and "
        f"its equity in turn, and think for {THINK_S:g} s on average in between (exponential): "
        f"{len(every) / SECONDS:.0f} reads/s for {SECONDS:g} s, {len(every):,} in all, median "
        f"{statistics.median(every):.3f} s; p95 by what was asked: {parts}",
    )


def users(
    url: str, tokens: list[str], scenes: list[str], runs: list[str]
) -> dict[str, list[float]]:
    """Return the seconds of each read of all users, by what was asked."""
    asked = {
        "url": url,
        "tokens": tokens,
        "scenes": scenes,
        "runs": runs,
        "users": USERS,
        "think_s": THINK_S,
        "warm_s": WARM_S,
        "seconds": SECONDS,
        "seed": SEED,
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.web_users"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        text=True,
        timeout=WARM_S + SECONDS + GIVE_UP_S,
        check=True,
    )
    return json.loads(done.stdout)


def _told(browser: Browser, url: str, user: str, model: str, console: Console) -> list[Row]:
    """Publish scenes of one run from the form, and return when their page told and showed them."""
    told = web_watched.published_in_browser(browser, url, user, model, REPEATS, WARM)
    console.print(
        f"  first event {statistics.median(told.first_event):.2f} s, "
        f"result {statistics.median(told.result_shown):.2f} s"
    )
    return [
        row(
            "web.first_event",
            told.first_event,
            "s, click on Publish → first event in the browser",
            "lower",
            minimum=1.0,
        ),
        row(
            "web.result_shown",
            told.result_shown,
            "s, click on Publish → the result on the scene's page",
            "lower",
            minimum=1.5,
        ),
    ]


def _scene_page(
    browser: Browser, url: str, user: str, warm: str, large: list[str], console: Console
) -> list[Row]:
    """Open the pages of scenes of 100,000 runs that nobody has looked at."""
    first, again = web_watched.scene_pages(browser, url, user, warm, large)
    console.print(
        f"  100,000 runs: first rows {statistics.median(first):.2f} s, "
        f"sorted {statistics.median(again):.2f} s"
    )
    return [
        row(
            "web.scene_page_first_rows",
            first,
            "s, page of 100,000 runs opened → first rows",
            "lower",
            minimum=0.5,
            note="each scene for the first time, in a browser that has the scripts",
        ),
        row(
            "web.scene_page_sort",
            again,
            "s, click on another metric of 100,000 runs → rows",
            "lower",
            minimum=1.0,
        ),
    ]


def _pages(
    browser: Browser,
    url: str,
    user: str,
    runs: list[str],
    asked: httpx.Client,
    console: Console,
) -> list[Row]:
    trades = answer_of(asked.get(f"/runs/{runs[0]}"))["trades"]
    script = web_pages.initial_javascript(browser, url)
    drawn, frames = web_pages.run_pages(browser, url, user, runs[0], runs[1:])
    console.print(f"  run page drawn {statistics.median(drawn):.2f} s, {trades:,} trades")
    what = f"{MINUTES:,} candles, {trades:,} trades"
    return [
        row(
            "web.run_page_drawn",
            drawn,
            "s, page opened → chart on the screen",
            "lower",
            minimum=1.5,
            note=f"{what}; runs that nobody looked at, in a browser that has the scripts",
        ),
        row(
            "web.run_page_fps",
            frames,
            "frames/s, dragged and zoomed",
            "higher",
            minimum=50.0,
            note=what,
        ),
        row("web.initial_javascript", [script], "kB, as sent", "lower", minimum=300.0),
    ]


def _lighthouse(url: str, user: str, scene: str, runs: list[str], console: Console) -> list[Row]:
    """Let Lighthouse judge every page that a trader sees."""
    compared = f"/compare?run={runs[0]}&run={runs[1]}"
    paths = [*PATHS, f"/scenes/{scene}", f"/runs/{runs[0]}", compared]
    found = web_lighthouse.scores(url, web_asking.cookie_of(url, user), paths)
    least = {category: min(pages.values()) for category, pages in found.items()}
    console.print(f"  Lighthouse: {', '.join(f'{name} {one:.0f}' for name, one in least.items())}")
    return [
        row(
            f"web.lighthouse_{category.replace('-', '_')}",
            [least[category]],
            "of 100, the least of all pages",
            "higher",
            minimum=95.0,
            note=f"{len(pages)} readings, each page as on a phone and on a desk",
        )
        for category, pages in found.items()
    ]


def _published_runs(settings: Settings, asked: httpx.Client, minutes: Candles) -> list[str]:
    """Return runs over all minutes, each of a scene of its own, so that all have a curve."""
    scenes = [
        published(asked, scene_of("1m", *_span(minutes), **MANY_TRADES)) for _ in range(PAGES + 1)
    ]
    finished(settings, scenes)
    return [only_run(asked, scene_id) for scene_id in scenes]


def _published_large(settings: Settings, asked: httpx.Client, hours: Candles) -> list[str]:
    """Return scenes of 100,000 runs; those after the first are answered from the store."""
    scene = scene_of("1h", *_span(hours), search={"kind": "grid", "space": LARGE_SPACE})
    found: list[str] = []
    for _ in range(LARGE_REPEATS):
        found.append(published(asked, scene))
        finished(settings, found[-1:])
    return found


def _published_others(settings: Settings, asked: httpx.Client, hours: Candles) -> list[str]:
    grid = {"search": {"kind": "grid", "space": GRID_SPACE}}
    found = [published(asked, scene_of("1h", *_span(hours), **grid)) for _ in range(GRIDS)]
    found += [published(asked, scene_of("1h", *_span(hours))) for _ in range(SMALL)]
    finished(settings, found)
    return found


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]


def _hours(rows: int) -> Candles:
    """Return hourly candles made as the minute ones are."""
    made = minute_candles(rows, seed=5)
    opened = made.opened_ms[0] + HOUR_MS * (made.opened_ms - made.opened_ms[0]) // 60_000
    return Candles(Interval.H1, opened, made.open, made.high, made.low, made.close, made.volume)


def _span(candles: Candles) -> tuple[str, str]:
    end = candles.interval.end_ms(int(candles.opened_ms[-1]))
    return instant_text(from_ms(int(candles.opened_ms[0]))), instant_text(from_ms(end))

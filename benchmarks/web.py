"""The web application with the stack up: its reads, its events, its pages in a real Chromium."""

from __future__ import annotations

import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from rich.console import Console

import stack
from benchmarks import web_asking, web_lighthouse, web_pages
from benchmarks.candles import minute_candles
from benchmarks.loads import merged
from benchmarks.rows import Row, row
from benchmarks.web_asking import answer_of, client_of, finished, only_run, published, scene_of
from mela.candles import Candles
from mela.errors import MelaError
from mela.instants import from_ms, instant_text
from mela.interval import HOUR_MS, Interval
from mela.settings import REPOSITORY, Settings

NAME = "binance:BTCUSDT"
MINUTES, HOURS = 500_000, 8_760
ACCOUNTS, USERS, THINK_S, WARM_S, SECONDS, SEED = 10, 200, 3.0, 10.0, 40.0, 7
SMALL, GRIDS = 30, 6  # scenes of one run and of 480 that the users read, beside the large ones
PATHS = ("/", "/scenes/new", "/data", "/strategies", "/schedules", "/account")
REPEATS, LARGE_REPEATS, PAGES = 20, 3, 5
PAUSE_S, GIVE_UP_S = 0.3, 60.0
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
        return [
            *_told(asked, hours, console),
            *_scene_page(asked, large),
            *_pages(url, names[0], runs, asked, console),
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


def _told(asked: httpx.Client, hours: Candles, console: Console) -> list[Row]:
    """Publish scenes of one run, and return when a stream told of them, and their result came."""
    first: list[float] = []
    shown: list[float] = []
    with _stream(asked) as told:
        for number in range(REPEATS + 3):
            time.sleep(PAUSE_S)
            began = time.perf_counter()
            scene_id = published(asked, scene_of("1h", *_span(hours)))
            heard_at = _heard(told, scene_id, lambda _: True)
            _heard(told, scene_id, lambda event: event["recorded"] == event["runs"] > 0)
            answer_of(asked.get(f"/scenes/{scene_id}"))
            answer_of(asked.get(f"/runs/{only_run(asked, scene_id)}"))
            if number >= 3:  # those before them only warm the job and the publisher
                first.append(heard_at - began)
                shown.append(time.perf_counter() - began)
            _heard(told, scene_id, lambda event: event["state"] == "finished")
    console.print(
        f"  first event {statistics.median(first):.2f} s, result {statistics.median(shown):.2f} s"
    )
    return [
        row(
            "web.first_event",
            first,
            "s, POST /scenes → first event on an open stream",
            "lower",
            minimum=1.0,
        ),
        row(
            "web.result_shown",
            shown,
            "s, POST /scenes → told as recorded, scene and run read",
            "lower",
            minimum=1.5,
        ),
    ]


def _scene_page(asked: httpx.Client, large: list[str]) -> list[Row]:
    """Read what the page of a scene of 100,000 runs reads, of scenes that nobody looked at."""
    first: list[float] = []
    again: list[float] = []
    for scene_id in large:
        began = time.perf_counter()
        scene = answer_of(asked.get(f"/scenes/{scene_id}"))
        query = {"sort": scene["rank_by"], "order": "best", "limit": 100}
        rows = answer_of(asked.get(f"/scenes/{scene_id}/runs", params=query))
        first.append(time.perf_counter() - began)
        if rows["total"] != 100_000 or len(rows["items"]) != 100:
            raise MelaError(f"expected 100 of 100,000 runs, but found {rows['total']}")
        began = time.perf_counter()
        answer_of(asked.get(f"/scenes/{scene_id}/runs", params={**query, "sort": "total_return"}))
        again.append(time.perf_counter() - began)
    return [
        row(
            "web.scene_page_first_rows",
            first,
            "s, 100,000 runs",
            "lower",
            minimum=0.5,
            note="what the page asks before its first rows: the scene, then 100 runs; each scene "
            "for the first time",
        ),
        row("web.scene_page_sort", again, "s, 100,000 runs", "lower", minimum=1.0),
    ]


def _pages(
    url: str, user: str, runs: list[str], asked: httpx.Client, console: Console
) -> list[Row]:
    trades = answer_of(asked.get(f"/runs/{runs[0]}"))["trades"]
    with web_pages.opened() as browser:
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
    compared = f"/compare?runs={runs[0]},{runs[1]}"
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


@contextmanager
def _stream(asked: httpx.Client) -> Generator[queue.Queue[tuple[float, dict[str, Any]]]]:
    """Yield what an open stream of all scenes tells: when, and the event."""
    told: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
    is_open, is_over = threading.Event(), threading.Event()

    def listen() -> None:
        with asked.stream("GET", "/events", params={"all": "true"}, timeout=None) as answer:
            name = ""
            for line in answer.iter_lines():
                if is_over.is_set():
                    return
                word, _, rest = line.partition(": ")
                if word == "event":
                    name = rest
                    if name == "opened":
                        is_open.set()
                elif word == "data" and name == "scene":
                    told.put((time.perf_counter(), json.loads(rest)))

    threading.Thread(target=listen, daemon=True).start()
    if not is_open.wait(GIVE_UP_S):
        raise MelaError("the stream of events did not open")
    try:
        yield told
    finally:
        is_over.set()


def _heard(
    told: queue.Queue[tuple[float, dict[str, Any]]],
    scene_id: str,
    is_wanted: Callable[[dict[str, Any]], bool],
) -> float:
    """Return when a stream told the event of a scene that is waited for."""
    while True:
        try:
            at, event = told.get(timeout=GIVE_UP_S)
        except queue.Empty:
            raise MelaError(f"no event of scene {scene_id} came in {GIVE_UP_S:.0f} s") from None
        if event["scene_id"] == scene_id and is_wanted(event):
            return at


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

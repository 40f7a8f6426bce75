"""`mela top`: what the stack does now, on a screen that renews itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.console import explains, out
from cli.panels import STACK
from mela.settings import Settings

if TYPE_CHECKING:
    from services.monitoring.overview import Overview, Watcher
    from services.scenes.stored_scenes import ListedScene
    from stack.report import ServiceStatus
    from stack.usage import Usage, Used

MIB = 2**20
MINUTE_S = 60.0
WARM_S = 1.0  # between the two looks that a first frame needs for its rates


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=STACK)(top)


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything at one moment. at: seconds of a monotonic clock."""

    at: float
    overview: Overview
    services: tuple[ServiceStatus, ...]
    used: Mapping[str, Used]


@dataclass(slots=True)
class Screen:
    """Turns looks into frames; rates are those since the frame before."""

    watcher: Watcher
    usage: Usage
    settings: Settings
    before: Frame | None = None
    starts: dict[str, tuple[float, int]] = field(default_factory=dict[str, tuple[float, int]])

    def look(self) -> Frame:
        """Look at everything once."""
        import stack

        services = tuple(stack.status(self.settings))
        used = dict(self.usage.look())
        return Frame(time.monotonic(), self.watcher.look(), services, used)

    def next(self) -> RenderableType:
        """Look, and return what the screen shows."""
        frame = self.look()
        shown = Group(
            self._services(frame),
            *_remarks(frame),
            Text(),
            self._queries(frame),
            Text(),
            self._scenes(frame),
            *_rejected(frame),
        )
        self.before = frame
        return shown

    def _passed(self, frame: Frame) -> float:
        return frame.at - self.before.at if self.before else 0.0

    def _services(self, frame: Frame) -> Table:
        table = _table("service", "state", "healthy", ">CPU", ">memory", ">restarts")
        for one in frame.services:
            if one.state == "stopped" and one.name == "replay":
                continue
            healthy = "[green]yes[/]" if one.healthy else "[red]no[/]"
            cells = (one.name, one.state, healthy, *self._use(frame, one.name))
            table.add_row(*cells, str(one.restarts))
        from stack.usage import WORKERS

        count = frame.used[WORKERS].processes if WORKERS in frame.used else 0
        table.add_row(f"  {WORKERS}", f"{count} processes", "", *self._use(frame, WORKERS), "")
        return table

    def _use(self, frame: Frame, name: str) -> tuple[str, str]:
        now = frame.used.get(name)
        if now is None:
            return "–", "–"
        memory = f"{now.memory_bytes / MIB:,.0f} MiB"
        then = self.before.used.get(name) if self.before else None
        passed = self._passed(frame)
        if then is None or passed <= 0:
            return "–", memory
        return f"{max(0.0, now.cpu_s - then.cpu_s) / passed:.0%}", memory

    def _queries(self, frame: Frame) -> Table:
        table = _table("query", "topic", ">waiting", ">messages/s", ">batches", "state")
        then = (
            {one.name: one.messages for one in self.before.overview.queries} if self.before else {}
        )
        passed = self._passed(frame)
        for one in frame.overview.queries:
            waiting = "–" if one.waiting is None else f"{one.waiting:,}"
            has_rate = one.name in then and passed > 0
            rate = f"{(one.messages - then[one.name]) / passed:,.1f}" if has_rate else "–"
            state = Text(one.state, style="green" if one.state == "works" else "red")
            table.add_row(one.name, one.topic, waiting, rate, f"{one.batches:,}", state)
        return table

    def _scenes(self, frame: Frame) -> RenderableType:
        if frame.overview.warehouse:
            return Text(f"the warehouse does not answer: {frame.overview.warehouse}", style="red")
        if not frame.overview.scenes:
            return Text("no scene is at work", style="dim")
        table = _table("scene", "name", "state", ">runs", ">recorded", ">runs/s", ">remaining")
        for one in frame.overview.scenes:
            rate = self._rate(one, frame.at)
            left = max(0, one.runs - one.recorded)
            table.add_row(
                str(one.scene_id)[:8],
                Text(one.name or "–"),
                one.state,
                f"{one.runs:,}",
                f"{one.recorded:,}",
                f"{rate:,.0f}" if rate else "–",
                _duration(left / rate) if rate else "–",
            )
        return table

    def _rate(self, scene: ListedScene, at: float) -> float | None:
        """Return a scene's runs a second since this screen first saw it."""
        began_at, began_with = self.starts.setdefault(str(scene.scene_id), (at, scene.recorded))
        if at <= began_at:
            return None
        return (scene.recorded - began_with) / (at - began_at) or None


@explains
def top(
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end.")] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.5, help="Seconds between two frames.")
    ] = 2.0,
) -> None:
    """Show services, queries, scenes at work and rejections, live. Ctrl-C ends it.

    Without a terminal it prints one frame, as --once does. Example: mela top --once
    """
    from rich.live import Live

    from services.monitoring.overview import Watcher
    from stack.usage import Usage

    settings = Settings()
    screen = Screen(Watcher(settings), Usage(settings.home.resolve()), settings)
    console = Console(highlight=False, emoji=False)
    screen.next()
    if once or not console.is_terminal:
        time.sleep(WARM_S)
        out.print(screen.next())
        return
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(screen.next(), refresh=True)
                time.sleep(every)
    except KeyboardInterrupt:  # Live has given the terminal back
        return


def _remarks(frame: Frame) -> list[Text]:
    """Return a line for each service that is unhealthy or was restarted."""
    lines: list[Text] = []
    for one in frame.services:
        if one.missing and one.state != "stopped":
            lines.append(Text(f"{one.name}: {one.missing}", style="red"))
        if one.note:
            lines.append(Text(f"{one.name}: {one.note}", style="dim"))
    return lines


def _rejected(frame: Frame) -> list[RenderableType]:
    if not frame.overview.rejected:
        return []
    table = _table("rejected", "at", "why")
    for one in frame.overview.rejected:
        at = f"{one.received_at:%Y-%m-%d %H:%M:%SZ}"
        table.add_row(str(one.scene_id)[:8], at, Text(one.why_rejected or "–"))
    return [Text(), table]


def _table(*columns: str) -> Table:
    """Return a table; a column that begins with `>` is aligned right."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            overflow="ellipsis",
            no_wrap=True,
        )
    return table


def _duration(seconds: float) -> str:
    """Return a length of time in words.

    >>> _duration(8.4), _duration(200)
    ('8 s', '3 min 20 s')
    """
    if seconds < MINUTE_S:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"

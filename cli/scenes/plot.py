"""Write pictures: `mela plot`, and `--plot` of `mela backtest`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.console import err, fail
from mela.candles import Candles
from mela.result import Outcome
from mela.scene import Scene

if TYPE_CHECKING:
    from backtests.charts.fan import Fan
    from backtests.charts.picture import Kind
    from backtests.strategy import Strategy


KINDS: Mapping[str, Kind] = {".html": "html", ".png": "png"}


def kind_of(path: Path, option: str = "--plot") -> Kind:
    """Return the kind of picture that a file's suffix names. Raises typer.BadParameter."""
    suffix = path.suffix.lower()
    if suffix not in KINDS:
        raise typer.BadParameter(
            f"expected a file ending in {' or '.join(KINDS)}, but found {path}",
            param_hint=option,
        )
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}", param_hint=option)
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder", param_hint=option)
    return KINDS[suffix]


def write_picture(
    path: Path,
    kind: Kind,
    candles: Candles,
    outcome: Outcome,
    scene: Scene,
    rows: Sequence[Mapping[str, Any]],
    catalogue: Mapping[str, Strategy],
    fan: Fan | None = None,
) -> None:
    """Draw the best run and write the picture to a file.

    outcome: with its curve; rows: the results of all runs, best first
    catalogue: whose strategy is asked for the indicators that are drawn
    """
    from backtests.charts.picture import scene_picture  # loads Plotly and matplotlib

    try:
        picture = scene_picture(
            kind,
            outcome,
            candles,
            rows=rows,
            paths=scene.search.space if scene.search else (),
            metric=scene.rank_by,
            fan=fan,
            catalogue=catalogue,
        )
    except ValueError as error:
        reason = f" ({': '.join(outcome.error)})" if outcome.error else ""
        raise fail(f"{error}{reason}") from error
    save_picture(path, picture)


def save_picture(path: Path, picture: bytes, of: str = "") -> None:
    """Write a picture into a file and say so. of: what it shows, where that is not clear."""
    try:
        path.write_bytes(picture)
    except OSError as error:
        raise fail(f"{path} cannot be written: {error.strerror}") from error
    err.print(f"picture{of}: {path} ({len(picture) / 1000:,.0f} kB)", markup=False)

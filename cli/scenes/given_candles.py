"""The candles of `mela backtest`, and what is known of their instruments: of files or stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import typer

from backtests import local
from cli.candles.candle_file import reader_of_files
from cli.console import WRONG_QUESTION, fail
from mela.errors import MelaError
from mela.instrument import Instrument
from mela.name_suggestions import did_you_mean
from mela.scene import Scene
from mela.settings import Settings
from sources.files.options import EVERY, NO_OPTIONS, FileOptions


class GivenCandles(NamedTuple):
    """The candles that runs read, and the facts of the scene's instruments.

    are_stored: whether they are the warehouse's
    """

    series: local.SeriesOf
    known: Callable[[], Mapping[str, Instrument]]
    are_stored: bool


def given_candles(
    scene: Scene, files: Sequence[str], options: FileOptions, settings: Settings
) -> GivenCandles:
    """Return what gives runs their candles: files, or the warehouse where none were given."""
    if files:
        _check_told(scene, files, options)
        from sources.files.given import instruments_of  # loads Arrow

        read = reader_of_files(files, scene.instruments, options)
        return GivenCandles(
            local.whole_series(read), lambda: instruments_of(scene, read, options), False
        )
    if options != NO_OPTIONS:
        why = "they speak of the files of --candles, and none was given"
        raise typer.BadParameter(why, param_hint="--timezone, --columns, --calendar and others")
    from services.candles.instruments import known_instruments  # loads SQLAlchemy
    from services.runs.stored_series import stored_series

    try:
        series = stored_series(settings)
    except MelaError as error:
        sentence = f"no candles were given (--candles FILE), and {error}"
        raise fail(sentence, WRONG_QUESTION) from error
    return GivenCandles(series, lambda: known_instruments(scene.instruments, settings), True)


def _check_told(scene: Scene, files: Sequence[str], options: FileOptions) -> None:
    """Refuse a fact of an instrument that is not in question: it would go unheard."""
    for name, facts in options.facts.items():
        there = name in scene.instruments or any(file.startswith(f"{name}=") for file in files)
        if name != EVERY and not there and not any(file.startswith(f"{name}@") for file in files):
            meant = did_you_mean(name, scene.instruments)
            raise typer.BadParameter(
                f"the scene has no instrument {name}{meant or '.'}",
                param_hint=" and ".join(f"--{fact}" for fact in facts),
            )

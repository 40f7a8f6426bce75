"""Features that read other series: a higher interval, or another instrument.

Each is joined by the time at which its candles close: on a candle stands what the last candle of
the other series told that had closed by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from backtests.context import AlignedInput, align
from forecasts.features.columns import log_close, log_returns, share, shifted
from forecasts.features.definition import Float, Reading, feature
from forecasts.features.sums import LOG_LEVEL, LOG_RETURN, window_comoments, window_moments
from forecasts.features.volumes import correlation_of
from mela.errors import CandlesMissing
from mela.fields import Part, Whole
from mela.inputs import MOST_INPUTS, Input
from mela.instrument import load_command, parse_name
from mela.interval import Interval

FULL = 2  # candles of the other series for each of ours, at most: with more, ours have gaps


def _is_name(name: str) -> str:
    parse_name(name)
    return name


Name = Annotated[str, AfterValidator(_is_name)]


class Higher(Part):
    """A longer interval of the same instrument."""

    interval: Interval = Field(default=Interval.D1, description="a multiple of the candles' own")
    span: Whole = Field(default=1, ge=1, le=1024, description="of its candles looked back")


class HigherWindow(Part):
    """A window of a longer interval."""

    interval: Interval = Field(default=Interval.D1, description="a multiple of the candles' own")
    span: Whole = Field(default=20, ge=2, le=1024, description="of its candles in the window")


class Other(Part):
    """Another instrument, on candles of the same interval."""

    instrument: Name = Field(examples=["binance:BTCUSDT"], description="venue:symbol")
    span: Whole = Field(default=24, ge=2, le=4096, description="candles in the window")


class Among(Part):
    """Several instruments, on candles of the same interval."""

    instruments: tuple[Name, ...] = Field(
        min_length=1, max_length=MOST_INPUTS, description="each as venue:symbol; our own is counted"
    )
    span: Whole = Field(default=24, ge=1, le=4096, description="candles looked back")


class Joined(NamedTuple):
    """Another series: its candles, and which of them is the last closed on each of ours."""

    reading: Reading
    aligned: AlignedInput


def joined(reading: Reading, instrument: str | None, interval: Interval | None) -> Joined:
    """Return another series. Raises CandlesMissing where it was not read."""
    key = instrument or reading.instrument, interval or reading.candles.interval

    def make() -> Joined:
        own = key == (reading.instrument, reading.candles.interval)
        series = reading.candles if own else reading.candles.inputs.get(key)
        if series is None:
            raise CandlesMissing(
                f"a feature of {reading.instrument} reads {key[1]} candles of {key[0]}, but none "
                f"were found. Load them first: {load_command(*key)}"
            )
        if own:
            return Joined(reading, align(series, key[0], series))
        found = align(reading.candles, key[0], series)
        return Joined(Reading(found.candles, key[0]), found)

    return reading.once(("joined", key), make)


def _higher(params: Higher | HigherWindow) -> Mapping[str, Input]:
    return {str(params.interval): Input(interval=params.interval, warmup=params.span + 1)}


def _other(params: Other) -> Mapping[str, Input]:
    warmup = FULL * (params.span + 1)
    return {params.instrument: Input(instrument=params.instrument, warmup=warmup)}


def _among(params: Among) -> Mapping[str, Input]:
    warmup = params.span + 1
    return {name: Input(instrument=name, warmup=warmup) for name in params.instruments}


@feature(Higher, window=lambda _: 0, reads=_higher)
def higher_returns(reading: Reading, params: Higher) -> Float:
    """Logarithmic return over the last closed candles of a longer interval."""
    found = joined(reading, None, params.interval)
    close = log_close(found.reading)
    return found.aligned.aligned(close - shifted(close, params.span))


@feature(HigherWindow, window=lambda _: 0, reads=_higher)
def higher_volatility(reading: Reading, params: HigherWindow) -> Float:
    """Deviation (ddof 1) of the logarithmic returns of a longer interval."""
    found = joined(reading, None, params.interval)
    variance = window_moments(log_returns(found.reading), params.span, LOG_RETURN)[1]
    return found.aligned.aligned(np.sqrt(variance))


@feature(Other, window=lambda params: params.span, reads=_other)
def relative_returns(reading: Reading, params: Other) -> Float:
    """Logarithmic return less that of another instrument over as many of its own candles."""
    found = joined(reading, params.instrument, None)
    theirs, ours = log_close(found.reading), log_close(reading)
    other = found.aligned.aligned(theirs - shifted(theirs, params.span))
    return ours - shifted(ours, params.span) - other


@feature(Other, window=lambda params: params.span, reads=_other)
def beta(reading: Reading, params: Other) -> Float:
    """Slope of our returns on those of another instrument; 0 where that one stands still."""
    _, variance, covariance = _paired(reading, params)
    return share(covariance, variance, 0.0)


@feature(Other, window=lambda params: params.span, reads=_other)
def correlation(reading: Reading, params: Other) -> Float:
    """Correlation of our returns with those of another instrument; 0 where one stands still."""
    return correlation_of(*_paired(reading, params))


@feature(Other, window=lambda params: params.span, reads=_other)
def spread(reading: Reading, params: Other) -> Float:
    """Logarithm of the ratio of both closes, in deviations from its mean; 0 where it stays."""
    found = joined(reading, params.instrument, None)
    ratio = log_close(reading) - found.aligned.aligned(log_close(found.reading))
    mean, variance = window_moments(ratio, params.span, LOG_LEVEL)
    score = share(ratio - mean, np.sqrt(variance), 0.0)
    score[_is_gappy(found, params.span)] = np.nan
    return score


@feature(Among, window=lambda params: params.span, reads=_among)
def rank(reading: Reading, params: Among) -> Float:
    """Share of the instruments whose return is below ours, ties counted half, 0 to 1.

    Those without candles yet are not counted; 0.5 where there is no other.
    """
    ours = log_close(reading)
    moved = ours - shifted(ours, params.span)
    below, others = np.zeros(len(ours)), np.zeros(len(ours))
    for name in params.instruments:
        if name == reading.instrument:
            continue
        found = joined(reading, name, None)
        close = log_close(found.reading)
        other = found.aligned.aligned(close - shifted(close, params.span))
        below += (other < moved) + 0.5 * (other == moved)
        others += ~np.isnan(other)
    share = np.where(others == 0, 0.5, below / np.maximum(others, 1.0))
    return np.where(np.isnan(moved), np.nan, share)


def _paired(reading: Reading, params: Other) -> tuple[Float, Float, Float]:
    """Return the moments of both series' returns, each of ours beside the last one of theirs."""

    def make() -> tuple[Float, Float, Float]:
        found = joined(reading, params.instrument, None)
        theirs = found.aligned.aligned(log_returns(found.reading))
        moments = window_comoments(
            log_returns(reading), theirs, params.span, LOG_RETURN, LOG_RETURN
        )
        gappy = _is_gappy(found, params.span)
        for one in moments:
            one[gappy] = np.nan
        return moments

    return reading.once(("paired", params), make)


def _is_gappy(found: Joined, span: int) -> NDArray[np.bool_]:
    """Tell where our window spans more of their candles than are stated as read, (n,) bool.

    So it is where it is not known, as on the first candles.
    """
    bars = found.aligned.bars
    gappy = np.ones(len(bars), np.bool_)
    gappy[span:] = bars[span:] - bars[: max(len(bars) - span, 0)] > FULL * span
    return gappy

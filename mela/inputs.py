"""Inputs: further candle series that a strategy reads beside those that it trades on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pydantic import Field, field_validator

from mela.canonical import canonical_json
from mela.errors import RejectionCode, SceneInvalid
from mela.fields import Part, Whole
from mela.instrument import parse_name
from mela.interval import DAY_MS, Interval
from mela.warmup import rounded_warmup

MOST_INPUTS = 16


class SeriesChoice(Part):
    """Another instrument, another interval, or both; what is left out is the run's own."""

    instrument: str | None = Field(
        default=None,
        examples=["binance:ETHUSDT"],
        description="venue:symbol; null: the instrument that the run trades",
    )
    interval: Interval | None = Field(
        default=None, description="length of its candles, at least the run's own; null: the run's"
    )

    @field_validator("instrument")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is not None:
            parse_name(name)
        return name


class Input(SeriesChoice):
    """A candle series that a strategy declares, and how many of its candles it needs in front.

    >>> Input(interval="1d", warmup=50).warmup
    50
    """

    warmup: Whole = Field(
        default=0, ge=0, le=2**20, description="candles of this series before the run's start"
    )

    @property
    def candles_needed(self) -> int:
        """Return how many candles before the start are read: as with a run's own, rounded up."""
        return rounded_warmup(self.warmup)

    def with_choice(self, choice: SeriesChoice) -> Input:
        """Return the input with what a scene chose for it; what is left out stays as declared."""
        return self.model_copy(update=choice.model_dump(exclude_unset=True))


class InputSeries(NamedTuple):
    """One candle series that a run reads for its inputs. warmup: candles before the start."""

    instrument: str
    interval: Interval
    warmup: int


def resolve(
    strategy: str, declared: Mapping[str, Input], chosen: Mapping[str, SeriesChoice]
) -> dict[str, Input]:
    """Return a strategy's inputs with what a scene chose for them.

    Raises SceneInvalid for a name that the strategy does not declare, and for too many inputs.
    """
    if len(declared) > MOST_INPUTS:
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "strategy",
            f"{strategy} declares {len(declared)} inputs, and at most {MOST_INPUTS} are read.",
        )
    for name in chosen:
        if name not in declared:
            known = f"it reads {', '.join(declared)}" if declared else "it reads none"
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                f"inputs.{name}",
                f"expected the name of an input of {strategy}, but found {name!r}: {known}.",
            )
    return {
        name: one.with_choice(chosen[name]) if name in chosen else one
        for name, one in declared.items()
    }


def declared_as_read(declared: Mapping[str, Input], read: Mapping[str, Input]) -> dict[str, Input]:
    """Return newly declared inputs, reading the same series as a run does under the same name."""
    return {
        name: one.model_copy(
            update={"instrument": read[name].instrument, "interval": read[name].interval}
        )
        if name in read
        else one
        for name, one in declared.items()
    }


def canonical_inputs(
    declared: Mapping[str, Input], resolved: Mapping[str, Input]
) -> dict[str, bytes]:
    """Return what enters the run_key: the fields in which inputs differ from their declaration."""
    changed: dict[str, dict[str, str | None]] = {}
    for name, one in resolved.items():
        for field in SeriesChoice.model_fields:
            value = getattr(one, field)
            if value != getattr(declared[name], field):
                changed.setdefault(name, {})[field] = None if value is None else str(value)
    return {"inputs": canonical_json(changed)} if changed else {}


def check_inputs(
    strategy: str,
    inputs: Mapping[str, Input],
    intervals: Iterable[Interval],
    chosen: Mapping[str, SeriesChoice],
) -> None:
    """Refuse an interval that a run cannot join with its own. Raises SceneInvalid.

    intervals: those that runs of the scene trade on
    chosen: what the scene says of inputs; a fault in what it leaves out is the strategy's own
    """
    for own in intervals:
        for name, one in inputs.items():
            fault = None if one.interval is None else _misfit(own, one.interval)
            if fault is None:
                continue
            is_chosen = name in chosen and chosen[name].interval is not None
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                f"inputs.{name}.interval" if is_chosen else "interval",
                f"the input {name} of {strategy} has candles of {one.interval}, {fault} the run's "
                f"{own}. Choose a longer interval for it with inputs.{name}.interval, or a "
                "shorter one for the run.",
            )


def series_of(
    inputs: Mapping[str, Input], instruments: Iterable[str], interval: Interval
) -> tuple[InputSeries, ...]:
    """Return each series that the inputs of these instruments read, once, in a fixed order."""
    needed: dict[tuple[str, Interval], int] = {}
    for instrument in instruments:
        for one in inputs.values():
            key = one.instrument or instrument, one.interval or interval
            needed[key] = max(needed.get(key, 0), one.warmup)
    return tuple(InputSeries(*key, rounded_warmup(most)) for key, most in sorted(needed.items()))


def _misfit(own: Interval, other: Interval) -> str | None:
    """Return how an input's interval does not fit a run's own; None where it does."""
    if own == other:
        return None
    mine, its = own.fixed_ms, other.fixed_ms
    if its is None:  # months consist of whole days
        return None if mine is not None and DAY_MS % mine == 0 else "which do not consist of"
    if mine is None or its < mine:
        return "which are shorter than"
    return None if its % mine == 0 else "which are no multiple of"

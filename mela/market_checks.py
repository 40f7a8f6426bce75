"""The checks of a scene that rest on what its instruments are: who knows the facts asks them."""

from __future__ import annotations

from collections.abc import Mapping

from mela.errors import RejectionCode, SceneInvalid
from mela.instrument import UNKNOWN_CURRENCY, Instrument
from mela.scene import Scene


def check_markets(
    scene: Scene, known: Mapping[str, Instrument], *, has_free_shorts: bool = False
) -> None:
    """Refuse what the scene's instruments do not allow.

    known: what is known of the scene's instruments, by name; those not in it are passed over
    has_free_shorts: whether some runs sell short and do not say what borrowing costs
    Raises SceneInvalid naming the field.
    """
    there = [known[name] for name in scene.instruments if name in known]
    if scene.mode == "together":
        _check_quotes(there)
    if has_free_shorts:
        _check_shorts(there)


def _check_quotes(instruments: list[Instrument]) -> None:
    for one in instruments[1:]:
        first = instruments[0]
        if one.quote == first.quote:
            continue
        unknown = [each for each in (first, one) if each.quote == UNKNOWN_CURRENCY]
        reason = (
            f"nothing tells what {unknown[0].name} is quoted in{_tell(unknown[0], 'quote')}"
            if unknown
            else f"{first.name} is quoted in {first.quote}{_guessed(first, 'quote')} and "
            f"{one.name} in {one.quote}{_guessed(one, 'quote')}"
        )
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "instruments",
            f"one account has one currency, but {reason}. Take instruments of one quote currency, "
            "or mode each.",
        )


def _check_shorts(instruments: list[Instrument]) -> None:
    for one in instruments:
        if one.kind == "spot":
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                "costs.borrow_rate",
                f"a short position on {one.name}, a spot instrument{_guessed(one, 'kind')}, is "
                "borrowed: state what that costs in a year as a fraction of its value, 0 if "
                f"nothing{_tell(one, 'kind', ', or say that it is another kind: ')}.",
            )


def _guessed(one: Instrument, fact: str) -> str:
    return " (inferred)" if one.how(fact) == "inferred" else ""


def _tell(one: Instrument, fact: str, words: str = "; tell it: ") -> str:
    """Return the way to tell a fact that is only inferred."""
    if one.how(fact) != "inferred":
        return ""
    return f"{words}mela instrument {one.name} --{fact} …, or --{fact} in mela backtest"

"""The options that state facts of instruments, which several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer

from mela.instrument import KINDS

R = TypeVar("R")
Facts = Mapping[str, Sequence[str]]
NO_FACTS: Facts = {}
FACT_HELP = {
    "calendar": "When its market is open: 24/7, 24/5 or an exchange, as XNYS, XLON, XTKS.",
    "quote": "The currency of its prices, as USD, EUR, GBp, USDT.",
    "kind": f"What it is: {', '.join(KINDS)}.",
    "tick": "The smallest step of its price.",
    "lot": "The smallest step of its size.",
    "multiplier": "How many units one contract stands for, as 50.",
}
EACH_HELP = " Of one instrument: NAME=VALUE; may be given again."
OF_ONE = {
    fact: Annotated[str | None, typer.Option(help=words)] for fact, words in FACT_HELP.items()
}
OF_EACH = {
    fact: Annotated[list[str] | None, typer.Option(help=words + EACH_HELP)]
    for fact, words in FACT_HELP.items()
}


def takes_facts(options: Mapping[str, Any]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a command one option for each fact; it takes them together, as its argument `facts`.

    options: OF_ONE or OF_EACH, the type of each option. The command's `facts` has what was given:
    the name of a fact → its words.
    """

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(command)
        def wrapped(**given: Any) -> R:
            values = {fact: given.pop(fact) for fact in options}
            facts = {
                fact: [value] if isinstance(value, str) else value
                for fact, value in values.items()
                if value
            }
            return command(**given, facts=facts)

        signature = inspect.signature(command, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.name != "facts":
                parameters.append(parameter)
                continue
            parameters += [
                inspect.Parameter(fact, parameter.kind, default=None, annotation=option)
                for fact, option in options.items()
            ]
        # typer reads both: the order of the options here, their types there
        wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
        return wrapped

    return decorate

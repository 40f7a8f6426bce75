"""Read the content of a stored scene; a rejected one may hold anything, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mela.training import is_training

Kind = Literal["backtest", "train"]


def object_of(value: Any) -> Mapping[str, Any]:
    """Return a JSON object, empty where the value is none."""
    return value if isinstance(value, Mapping) else {}


def texts_of(value: Any) -> tuple[str, ...]:
    """Return the texts of a list, none where the value is no list."""
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return tuple(one for one in value if isinstance(one, str)) if is_list else ()


def text_of(value: Any) -> str | None:
    """Return a text, None where the value is none."""
    return value if isinstance(value, str) else None


def kind_of(content: Mapping[str, Any]) -> Kind:
    """Return what a scene asks for."""
    return "train" if is_training(content) else "backtest"


def strategies_of(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the strategies that a scene asks for, also as several of a search."""
    varied = object_of(object_of(content.get("search")).get("space")).get("strategy.name")
    return texts_of(varied) or texts_of([object_of(content.get("strategy")).get("name")])

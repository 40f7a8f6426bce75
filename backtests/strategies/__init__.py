"""The strategies that scenes can name: every module of this package registers its own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from backtests.strategy import REGISTERED, Strategy

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")

CATALOGUE: Mapping[str, Strategy] = MappingProxyType(REGISTERED)

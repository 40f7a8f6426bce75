"""The strategies as their files stand now, for processes that live long."""

from __future__ import annotations

import structlog

from backtests.strategy import Catalogue
from mela.settings import Settings
from services.strategies.all_strategies import all_strategies

log = structlog.get_logger()
_last: Catalogue | None = None


def current(settings: Settings) -> Catalogue:
    """Return the strategies, edited and newly installed ones loaded; log what changed."""
    global _last
    # files of models are where the planner kept them: it alone asks MLflow
    catalogue = all_strategies(settings, asks_mlflow=False)
    if _last is not None and catalogue is not _last:
        digests = {name: one.digest for name, one in _last.items()}
        changed = [name for name, one in catalogue.items() if digests.get(name) != one.digest]
        removed = sorted(digests.keys() - catalogue.keys())
        log.info("strategies_loaded", changed=changed, removed=removed)
    if catalogue is not _last:
        for broken in catalogue.broken:
            log.warning("strategy_broken", origin=broken.origin, why=broken.error)
    _last = catalogue
    return catalogue

"""All strategies that scenes and sessions may name: those of files, and `forecast`.

A model's name means different files on different stacks, so `forecast` is registered here, with the
settings, and not where strategies are files. Every process of the platform asks here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backtests.strategies import refresh
from backtests.strategy import REGISTERED, Catalogue, Strategy
from mela.settings import Settings
from services.models.process_models import models_of

if TYPE_CHECKING:
    from forecasts.artifact import Model

_forecast: tuple[Settings, bool, Strategy] | None = None


def all_strategies(settings: Settings, *, asks_mlflow: bool = True) -> Catalogue:
    """Load edited, new and newly installed strategies; return all as they stand now.

    asks_mlflow: whether this process may fetch models that nobody has kept yet
    """
    register_forecast(settings, asks_mlflow=asks_mlflow)
    return refresh(settings.packages)


def register_forecast(settings: Settings, *, asks_mlflow: bool = True) -> None:
    """Have `forecast` in the catalogue, with the models of these settings."""
    global _forecast
    known = _forecast
    if (
        known is None
        or known[1] != asks_mlflow
        or (known[0] is not settings and known[0] != settings)
    ):
        from forecasts.strategy import forecasting

        def load(reference: str) -> Model:
            return models_of(settings, asks_mlflow=asks_mlflow)(reference)

        known = _forecast = settings, asks_mlflow, forecasting(load)
    REGISTERED[known[2].name] = known[2]

"""Check one strategy and store the verdict: `python -m services.strategies.strategy_check`.

The running stack starts it for strategies that scenes name and nobody has checked.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from forecasts.strategy import NAME as FORECAST
from mela.errors import InputInvalid
from mela.settings import Settings
from services.strategies.lookahead import judge, keep, named_strategy, packaged_series
from warehouse import model_files
from warehouse.database import transaction

LIMIT_S = 280  # after which the kernel ends this process, whoever started it
ASK_S = 60.0  # what each question may take
BUDGET = 1_000_000  # candles read over all cuts: an eighth of what `mela check` reads


def main(name: str, digest: str) -> int:
    """Check a strategy with its defaults; do nothing where its source is another by now.

    `forecast` has no default: it is checked with the model that a scene named last, whose features
    are the code that could look ahead. The stored verdict names that model.
    """
    signal.alarm(LIMIT_S)
    settings = Settings()
    named = named_strategy(name, settings)
    if named.strategy.digest != digest:
        return 0
    params = _of_newest_model(settings) if name == FORECAST else {}
    judgement = judge(named, params, packaged_series(), budget=BUDGET, limit_s=ASK_S)
    keep(judgement, settings)
    return 0


def _of_newest_model(settings: Settings) -> dict[str, Any]:
    with transaction(settings) as connection:
        reference = model_files.newest(connection)
    if reference is None:
        raise InputInvalid("model", "no scene has named a model yet, and forecast needs one")
    return {"model": reference}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

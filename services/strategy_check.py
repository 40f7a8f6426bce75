"""Check one strategy of the catalogue and store the verdict: `python -m services.strategy_check`.

The running stack starts it for strategies that scenes name and nobody has checked.
"""

from __future__ import annotations

import signal
import sys

from mela.settings import Settings
from services.lookahead import judge, keep, named_strategy, packaged_series

LIMIT_S = 280  # after which the kernel ends this process, whoever started it
ASK_S = 60.0  # what each question may take
BUDGET = 1_000_000  # candles read over all cuts: an eighth of what `mela check` reads


def main(name: str, digest: str) -> int:
    """Check a strategy with its defaults; do nothing where its source is another by now."""
    signal.alarm(LIMIT_S)
    settings = Settings()
    named = named_strategy(name, settings)
    if named.strategy.digest != digest:
        return 0
    judgement = judge(named, {}, packaged_series(), budget=BUDGET, limit_s=ASK_S)
    keep(judgement, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

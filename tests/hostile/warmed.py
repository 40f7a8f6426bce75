"""What the server of forks loads before the first one, as a worker of Spark's is forked warm.

Apart from `worker`, which the tests import: their own process executes nothing.
"""

from __future__ import annotations

from backtests.portfolio import warm_accounts
from backtests.simulate import warm
from tests.hostile import worker

__all__ = ["worker"]
warm()
warm_accounts()

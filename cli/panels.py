"""The groups in which `mela --help` lists the commands."""

from __future__ import annotations

SCENES = "Scenes"
CANDLES = "Candles"
STRATEGIES = "Strategies"
TRADING = "Trading"
WAREHOUSE = "Warehouse"
TRADING = "Trading"
STACK = "Stack"
DEVELOPMENT = "Development"

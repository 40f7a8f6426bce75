"""The groups in which `mela --help` lists the commands."""

from __future__ import annotations

SCENES = "Scenes"
CANDLES = "Candles"
STRATEGIES = "Strategies"
TRADING = "Trading"
WAREHOUSE = "Warehouse"
STACK = "Stack"
DEVELOPMENT = "Development"

"""The groups in which `mela --help` lists the commands."""

from __future__ import annotations

SCENES = "Scenes"
CANDLES = "Candles"
STRATEGIES = "Strategies"
WAREHOUSE = "Warehouse"
STACK = "Stack"
DEVELOPMENT = "Development"

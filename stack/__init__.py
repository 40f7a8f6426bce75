"""The real services on one machine: fetch, start, watch, stop.

settings = stack.up(Settings(), on_event=print)
stack.status(settings), stack.logs(settings, "kafka"), stack.down(settings)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stack.control import down, up
    from stack.environment import set_replay
    from stack.report import ServiceStatus, logs, status

__all__ = ["ServiceStatus", "down", "logs", "set_replay", "status", "up"]
_WHERE = {
    "ServiceStatus": "stack.report",
    "down": "stack.control",
    "logs": "stack.report",
    "set_replay": "stack.environment",
    "status": "stack.report",
    "up": "stack.control",
}


def __getattr__(name: str) -> Any:
    # On demand, because every service starts through stack.launch, which needs none of this.
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'stack' has no attribute {name!r}")

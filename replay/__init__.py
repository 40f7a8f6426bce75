"""A loopback server that answers from packaged candles as the market-data services would."""

from replay.faults import Fault
from replay.server import ReplayServer, create_server, serve

__all__ = ["Fault", "ReplayServer", "create_server", "serve"]

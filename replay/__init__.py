"""A loopback server that answers with packaged candles as Binance and Yahoo would."""

from replay.faults import Fault
from replay.server import ReplayServer, create_server, serve

__all__ = ["Fault", "ReplayServer", "create_server", "serve"]

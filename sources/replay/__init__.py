"""A loopback server that answers with packaged candles as Binance and Yahoo would."""

from sources.replay.faults import Fault
from sources.replay.server import ReplayServer, create_server, serve

__all__ = ["Fault", "ReplayServer", "create_server", "serve"]

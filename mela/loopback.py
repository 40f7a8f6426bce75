"""Tell whether an address is on this machine, where plain HTTP is safe."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult


def is_loopback(parts: SplitResult) -> bool:
    """Tell whether a URL is http:// on a loopback address."""
    host = parts.hostname or ""
    try:
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        local = False
    return parts.scheme == "http" and local

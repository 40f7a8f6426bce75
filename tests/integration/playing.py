"""The market of the platform, played again at 600 times its speed until where it stands."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import requests

from mela.instants import from_ms, instant_text
from mela.settings import Settings

SPEED = 600


@contextmanager
def playing(settings: Settings, hours: float) -> Generator[None]:
    """Play the last hours; afterwards the market stands where it stood, however far it came."""
    assert settings.replay_url is not None
    address = f"{settings.replay_url.rstrip('/')}/replay"

    def order(word: str, **document: Any) -> None:
        answer = requests.post(f"{address}/{word}", json=document, timeout=10)
        assert answer.status_code == 200, answer.text

    stands = from_ms(requests.get(f"{address}/clock", timeout=10).json()["now_ms"])
    begins = stands - timedelta(hours=hours)
    order("play", **{"from": instant_text(begins), "until": instant_text(stands), "speed": SPEED})
    try:
        yield
    finally:
        order("play", **{"from": instant_text(stands), "speed": 0.01})
        order("pause")

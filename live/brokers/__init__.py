"""Brokers outside this process, one module each."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from live.brokers.protocol import Broker
from live.clock import Clock
from live.feeds.listener import Patience
from mela.settings import Settings

__all__ = ["Broker", "open_broker"]

PAPER, LIVE = "https://paper-api.alpaca.markets", "https://api.alpaca.markets"


def open_broker(
    settings: Settings,
    clock: Clock,
    money: Literal["paper", "live"] = "paper",
    *,
    answer_s: float = 10.0,
    patience: Patience | None = None,
) -> Broker:
    """Return Alpaca, not yet listening. If a replay is set, it is asked, whatever the money.

    answer_s: the time limit of each request
    Raises ValueError where no keys are set, and for live money with the keys of a paper account, or
    the other way round.
    """
    from live.brokers.alpaca import AlpacaBroker
    from live.feeds.alpaca import keys_of

    key, secret = keys_of(settings)
    usual = patience or Patience()
    if settings.replay_url:
        url = f"{settings.replay_url.rstrip('/')}/alpaca"
        patience = patience or replace(usual, first_s=0.1, longest_s=5.0, grace_s=2.0)
    else:
        is_paper_key = key.startswith("PK")
        if is_paper_key != (money == "paper"):
            found = "a paper" if is_paper_key else "a live"
            raise ValueError(
                f"expected keys of a {money} account of Alpaca, but MELA_ALPACA__KEY is of {found} "
                "account (keys of paper accounts begin with PK)"
            )
        url = PAPER if money == "paper" else LIVE
    stream_url = f"{url.replace('http', 'ws', 1)}/stream"
    return AlpacaBroker(
        key,
        secret,
        url,
        stream_url,
        clock,
        is_paper=money == "paper" or settings.replay_url is not None,
        answer_s=answer_s,
        patience=patience,
    )

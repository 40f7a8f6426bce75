"""Alpaca's refusals: its statuses, codes and words."""

from __future__ import annotations

from typing import Any

from replay.answer import Answer, as_json


class Refusal(Exception):
    """A refused request. more: further fields of the body."""

    def __init__(self, status: int, code: int, words: str, **more: Any) -> None:
        super().__init__(words)
        self.status = status
        self.body = {"code": code, "message": words, **more}

    def answer(self) -> Answer:
        """Return the answer that carries it."""
        headers = {"Retry-After": "1"} if self.status == 429 else {}
        return as_json(self.body, self.status, headers)


def wrong(words: str) -> Refusal:
    """Refuse an order that cannot be: 422."""
    return Refusal(422, 42210000, words)


def used_id() -> Refusal:
    """Refuse a client order id that an order of the account has, whatever became of it."""
    return Refusal(422, 40010001, "client_order_id must be unique")


def not_enough(words: str, **more: Any) -> Refusal:
    """Refuse what the account cannot pay or does not hold: 403."""
    return Refusal(403, 40310000, words, **more)


def missing(words: str) -> Refusal:
    """Say that something does not exist: 404."""
    return Refusal(404, 40410000, words)

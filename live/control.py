"""The mode of a session: run, only reduce, leave its positions, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from live.account import Book, Mode
from live.events import Commanded, Derived, HeadlineHeard, StateChanged
from mela.session import NewsRule

MOST_NEWS = 1_000  # windows that are remembered


class Control:
    """The commands that a session obeys, and what follows from them."""

    def __init__(self) -> None:
        self.state = "running"
        self.is_halted = False
        self.is_leaving = False
        self._news: list[tuple[int, int, tuple[str, ...]]] = []
        self._gates: dict[str, str] = {}

    @property
    def has_stopped(self) -> bool:
        """Tell whether the session is over."""
        return self.state == "stopped"

    def mode(self, instruments: Sequence[str], at_ms: int) -> Mode:
        """Return what an account of these instruments may do at an instant."""
        if self.is_leaving:
            return "leaving"
        if self.is_halted:
            return "halted"
        if self.state == "stopping":
            return "ending"
        if self.state != "running" or self._has_news(instruments, at_ms):
            return "reducing"
        return "active"

    def command(self, event: Commanded, books: Iterable[Book]) -> list[Derived]:
        """Take what a person asked for; a stopped session takes nothing."""
        if self.has_stopped:
            return []
        why = f"{event.kind} by {event.by}" + (f": {event.why}" if event.why else "")
        match event.kind:
            case "pause":
                return self._become("paused", why) if self.state == "running" else []
            case "resume":
                return self._become("running", why) if self.state == "paused" else []
            case "stop":
                return self._become("stopping", why) if self.state != "stopping" else []
            case "halt":
                return self.halt(books, why)
            case "release":
                return self._release(books, why)
            case "flatten":
                self.is_leaving = any(book.is_holding for book in books)
                return []

    def end(self, why: str) -> list[Derived]:
        """Stop the session at once, for a reason that a person must see to."""
        return [] if self.has_stopped else self._become("stopped", why)

    @property
    def waits(self) -> bool:
        """Tell whether something is to follow once accounts are flat, or orders are over."""
        return self.is_leaving or self.state == "stopping"

    def halt(self, books: Iterable[Book], why: str) -> list[Derived]:
        """Stop every order, until a person releases it."""
        for book in books:
            if book.gate is not None:
                book.gate.state = book.gate.state.commanded("halt")
        if self.is_halted:
            return []
        self.is_halted = True
        return [StateChanged("risk", -1, "halted", why)]

    def settle(self, books: Iterable[Book]) -> list[Derived]:
        """Move on once nothing is left to wait for: flat accounts, or no open order at the end."""
        books = list(books)
        if self.is_leaving and not any(book.is_holding for book in books):
            self.is_leaving = False
        is_over = self.state == "stopping" and not self.is_leaving
        if is_over and not any(book.is_waiting for book in books):
            return self._become("stopped", "no order is open any more")
        return []

    def gate_told(self, number: int, book: Book) -> list[Derived]:
        """Return what has changed of an account's gate."""
        if book.gate is None:
            return []
        state = book.gate.state
        before, now = self._gates.get(str(number), "active"), str(state.mode)
        if before == now:
            return []
        self._gates[str(number)] = now
        return [StateChanged("risk", number, now, state.cause or "released")]

    def hear(self, event: HeadlineHeard, rule: NewsRule | None) -> list[Derived]:
        """Take a headline: around it nothing is entered, where the session has a rule for it."""
        title = event.title.lower()
        if rule is None or (rule.words and not any(one.lower() in title for one in rule.words)):
            return []
        begins = event.published_ms - round(rule.before_s * 1_000)
        ends = max(event.published_ms, event.received_ms) + round(rule.after_s * 1_000)
        self._news = [one for one in self._news if one[1] >= event.received_ms][-MOST_NEWS:]
        self._news.append((begins, ends, event.instruments))
        return []

    def save(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "state": self.state,
            "is_halted": self.is_halted,
            "is_leaving": self.is_leaving,
            "news": [list(one) for one in self._news],
            "gates": self._gates,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.state, self.is_halted = saved["state"], saved["is_halted"]
        self.is_leaving, self._gates = saved["is_leaving"], dict(saved["gates"])
        self._news = [(one[0], one[1], tuple(one[2])) for one in saved["news"]]

    def _has_news(self, instruments: Sequence[str], at_ms: int) -> bool:
        return any(
            begins <= at_ms <= ends and (not names or not set(names).isdisjoint(instruments))
            for begins, ends, names in self._news
        )

    def _release(self, books: Iterable[Book], why: str) -> list[Derived]:
        told: list[Derived] = []
        for number, book in enumerate(books):
            if book.gate is not None:
                book.gate.state = book.gate.state.commanded("release")
                told += self.gate_told(number, book)
        if self.is_halted:
            self.is_halted = False
            told.append(StateChanged("risk", -1, "active", why))
        return told

    def _become(self, state: str, why: str) -> list[Derived]:
        self.state = state
        return [StateChanged("session", -1, state, why)]

"""Passwords: how they are kept, and which ones are refused."""

from __future__ import annotations

import threading
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mela.errors import InputInvalid

SHORTEST, LONGEST = 8, 256  # characters
# argon2id with 46 MiB, as OWASP advises at least, and one pass more than it asks for
_HASHER = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)
_AT_ONCE = threading.BoundedSemaphore(2)  # each takes 46 MiB and a processor for 50 ms


def check(password: str, user: str, field: str = "password") -> None:
    """Refuse a password that is short, common or the user's own name. Raises InputInvalid.

    Any character may be in it, and no kind of character must be.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputInvalid(field, f"expected {SHORTEST} to {LONGEST} characters.")
    plain = password.lower()
    if plain in _common() or plain.strip("0123456789!?._- ") in {user.lower(), "mela"}:
        raise InputInvalid(
            field,
            "this password is among those that are tried first: it is common, or made of the "
            "user's name. Choose another one; a sentence is good.",
        )


def hashed(password: str) -> str:
    """Return what is kept of a password: an argon2id hash with its own salt."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def is_right(known: str, password: str) -> bool:
    """Tell whether a password is the one of a hash."""
    with _AT_ONCE:
        try:
            return _HASHER.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False


def is_old(known: str) -> bool:
    """Tell whether a hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(known)


@lru_cache(maxsize=1)
def nobodys() -> str:
    """Return a hash that no password fits: an unknown user shall take as long as a known one."""
    return _HASHER.hash("\x00 no password has this character at its beginning")


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= SHORTEST)

"""A timer of the kernel that kills its process, which nothing in the process can prevent.

`signal.setitimer` sends SIGALRM, and a strategy that ignores that signal would run for ever. Python
has no other timer, so that this one is asked from the C library.
"""

from __future__ import annotations

import ctypes
import os
import signal
from functools import lru_cache

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLOCK_MONOTONIC = 1
_SIGEV_SIGNAL = 0


class _Event(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),  # 64 bytes in all, as Linux has it
    )


class _Span(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Span), ("value", _Span))


class KillingTimer:
    """Kills this process unless it is stopped in time. A forked child has none."""

    def __init__(self) -> None:
        self._timer = ctypes.c_void_p()
        event = _Event(None, signal.SIGKILL, _SIGEV_SIGNAL, b"")
        made = _LIBC.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._timer))
        _check(made)

    @staticmethod
    def of_process() -> KillingTimer:
        """Return the timer of this process."""
        return _timer_of(os.getpid())

    def start(self, seconds: float) -> None:
        """Kill this process in so many seconds, above 0."""
        self._set(seconds)

    def stop(self) -> None:
        """Kill nothing."""
        self._set(0.0)

    def left_s(self) -> float:
        """Return in how many seconds it kills; 0 where it was stopped."""
        found = _Setting()
        _check(_LIBC.timer_gettime(self._timer, ctypes.byref(found)))
        return found.value.s + found.value.ns / 1e9

    def _set(self, seconds: float) -> None:
        whole = int(seconds)
        value = _Setting(_Span(0, 0), _Span(whole, int((seconds - whole) * 1e9)))
        _check(_LIBC.timer_settime(self._timer, 0, ctypes.byref(value), None))


@lru_cache(maxsize=1)
def _timer_of(_pid: int) -> KillingTimer:
    return KillingTimer()


def _check(answer: int) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

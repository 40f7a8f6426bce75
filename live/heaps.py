"""Keep the memory of a process with many threads flat."""

from __future__ import annotations

import ctypes

MOST_HEAPS = 2
BIG_BYTES = 128 * 1024  # what is larger is taken from the system by itself, and given back
# of malloc.h
_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1


def share_heaps() -> None:
    """Have all threads allocate from two heaps, without large pieces in them.

    To be called before threads start. The GNU C library gives up to eight heaps a processor to
    threads, and what is freed in one is used again in that one alone. It also raises, with each
    large piece that is freed, the size up to which a piece comes from a heap: then holes of all
    sizes stay. Another C library is left as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, MOST_HEAPS)
        mallopt(_M_MMAP_THRESHOLD, BIG_BYTES)
        mallopt(_M_TRIM_THRESHOLD, BIG_BYTES)


def trim_heaps() -> None:
    """Give the pages of all heaps that nothing is in back to the system; milliseconds of work.

    By itself the C library gives back what lies at the end of a heap alone: over a day of 50
    instruments the holes before it grew from 6 to 26 MB, and stay at about 5 MB so.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

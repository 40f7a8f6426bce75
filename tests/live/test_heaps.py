"""Threads of the process that trades share heaps."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from live.heaps import MOST_HEAPS

PROGRAM = """
import ctypes, sys, threading
from live.heaps import share_heaps
if sys.argv[2] == "shared":
    share_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(12)
def allocate():
    together.wait()
    [libc.malloc(2_000) for _ in range(200)]
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(12)]
[one.start() for one in threads]
[one.join() for one in threads]
libc.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
"""


def heaps(folder: Path, how: str) -> int:
    file = folder / how
    subprocess.run([sys.executable, "-c", PROGRAM, str(file), how], check=True)
    return file.read_text().count("<heap nr=")


HOLES = """
import ctypes
from live.heaps import share_heaps, trim_heaps
share_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def resident():
    words = open("/proc/self/statm").read().split()
    return int(words[1]) * 4096 / 1e6
before = resident()
held = [libc.malloc(64_000) for _ in range(1_000)]
[libc.memset(one, 1, 64_000) for one in held]
full = resident()
[libc.free(one) for one in held[:-1]]  # the last one keeps the end of the heap
freed = resident()
trim_heaps()
print(full - before, freed - before, resident() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not the GNU C library")
def test_what_is_freed_before_something_that_is_kept_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", HOLES], check=True, capture_output=True, text=True)
    full, freed, trimmed = map(float, done.stdout.split())
    assert full > 60
    assert freed > 60, "the C library gives back the end of a heap alone"
    assert trimmed < 6


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="not the GNU C library")
def test_threads_of_the_process_share_heaps(tmp_path: Path) -> None:
    assert heaps(tmp_path, "shared") <= MOST_HEAPS < heaps(tmp_path, "apart")

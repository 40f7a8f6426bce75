"""A small disk of a stack's own, which a storm can fill: an ext4 in a file, mounted for root."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import stack
from mela.settings import Settings

BYTES = 6 * 2**30  # sparse: only what is written takes room
LEFT = 4096  # a disk with less is full


class Disk:
    """A mounted folder of limited room."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self) -> int:
        """Take all room that is left; return how many bytes that were."""
        taken, step = 0, BYTES
        with self._ballast.open("wb") as file:
            while step >= LEFT:
                try:
                    os.posix_fallocate(file.fileno(), taken, step)
                except OSError:
                    step //= 2
                else:
                    taken += step
        return taken

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path) -> Generator[Disk | None]:
    """Mount a disk on a new folder, for a stack to have as its home; stop that stack at the end.

    Gives None where this user may not mount: the folder lies on the disk that is there.
    """
    folder.mkdir(mode=0o755)
    image = folder.with_suffix(".ext4")
    is_mounted = os.geteuid() == 0 and _mount(image, folder)
    folder.chmod(0o755)
    try:
        yield Disk(folder) if is_mounted else None
    finally:
        Disk(folder).empty()
        stack.down(Settings(home=folder))
        if is_mounted:
            _unmount(folder)
            image.unlink()


def _mount(image: Path, folder: Path) -> bool:
    with image.open("wb") as file:
        file.truncate(BYTES)
    made = subprocess.run(
        ["mkfs.ext4", "-q", "-m", "0", str(image)], check=False, capture_output=True, text=True
    )
    mounted = made.returncode == 0 and subprocess.run(
        ["mount", "-o", "loop", str(image), str(folder)], check=False, capture_output=True
    )
    if not mounted or mounted.returncode:
        image.unlink()
        return False
    return True


def _unmount(folder: Path) -> None:
    """Unmount once nobody has a file open there: processes end a moment after they were told to."""
    for _ in range(30):
        if subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode:
            time.sleep(1)
        else:
            return
    subprocess.run(["umount", "--lazy", str(folder)], check=True)

"""Replace this process with a service, after ending what its predecessor left behind.

`python -m stack.launch NAME NICENESS COMMAND…`, run by supervisord. A killed parent leaves children
that hold its port; without this step the service would restart again and again in vain.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stack.sweep import MARKER, sweep


def main() -> None:
    """Become the command."""
    name, niceness, *command = sys.argv[1:]
    sweep(Path(os.environ[MARKER]), service=name)
    os.nice(int(niceness))
    os.execvp(command[0], command)  # noqa: S606 - supervisord shall watch the service itself


if __name__ == "__main__":
    main()

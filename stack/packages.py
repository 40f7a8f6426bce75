"""Find an installed package's files without the cost of importing it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mela.errors import StackFailed


def installed(package: str) -> Path:
    """Return the folder of an installed package. Raises StackFailed if it is not installed."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise StackFailed(f"the package {package} is not installed; run `make setup`")
    return Path(spec.origin).parent

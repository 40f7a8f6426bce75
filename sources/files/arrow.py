"""Arrow's functions on columns: made while it is imported, so that no type checker knows them."""

from __future__ import annotations

from typing import Any

from pyarrow import compute

pc: Any = compute

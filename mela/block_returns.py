"""Returns of a run by block of its span: the moments that CSCV needs instead of a curve."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_CELL = np.dtype(">f8")  # as Postgres sends doubles


class BlockReturns(NamedTuple):
    """The returns of a run over 16 equal blocks of its span.

    cells: 3 × 16 big-endian doubles, row by row: for each block the sum of its returns, the sum of
        their squares, and their number
    """

    cells: bytes

    @classmethod
    def of(cls, rows: Any) -> BlockReturns:
        """Return the blocks of (3, 16) numbers: sums, squares, counts."""
        return cls(np.asarray(rows, dtype=_CELL).tobytes())

    @classmethod
    def unpacked(cls, text: str) -> BlockReturns:
        """Read blocks from a result document. Raises ValueError for other text."""
        return cls(base64.b64decode(text, validate=True))

    def packed(self) -> str:
        """Return the cells in base64, as a result document has them: 512 characters.

        >>> blocks = BlockReturns.of([[0.25] * 16, [0.5] * 16, [3] * 16])
        >>> BlockReturns.unpacked(blocks.packed()).counts[15]
        3.0
        """
        return base64.b64encode(self.cells).decode()

    @property
    def rows(self) -> NDArray[np.float64]:
        """Return sums, squares and counts: (3, 16) float64."""
        return np.frombuffer(self.cells, dtype=_CELL).reshape(3, 16).astype(np.float64)

    @property
    def sums(self) -> list[float]:
        """Return the sum of each block's returns."""
        return self.rows[0].tolist()

    @property
    def squares(self) -> list[float]:
        """Return the sum of the squares of each block's returns."""
        return self.rows[1].tolist()

    @property
    def counts(self) -> list[float]:
        """Return the number of returns in each block."""
        return self.rows[2].tolist()

"""A file's content as named columns, before anything in it is understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns as they stand in a file, and how a user finds a row of it.

    name: the file as its user knows it, for sentences
    format: `Parquet`, `feather`, `CSV` or `JSON`, for sentences
    names: unique; of a file without names, `1` to `n`
    columns: one Arrow array for each name
    places: (rows,) the line of each row in a text file, from 1; elsewhere its row, from 0
    has_names: whether the file names its columns
    symbol: the symbol that a header above the names states, where one does
    """

    name: str
    format: str
    names: tuple[str, ...]
    columns: tuple[pa.Array, ...]
    places: Int
    has_names: bool = True
    symbol: str | None = None

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, name: str) -> pa.Array:
        return self.columns[self.names.index(name)]

    def place(self, row: int) -> str:
        """Return how a user finds a row: `line 12` or `row 10`."""
        counted = "line" if self.format == "CSV" else "row"
        return f"{counted} {int(self.places[row])}"

    def take(self, rows: Int) -> Table:
        """Return the table with these rows alone, in this order; each keeps its place."""
        chosen = pa.array(rows)
        columns = tuple(column.take(chosen) for column in self.columns)
        return replace(self, columns=columns, places=self.places[rows])


def table_of(
    name: str,
    format_: str,
    names: Sequence[str],
    columns: Sequence[pa.Array | pa.ChunkedArray],
    *,
    places: Int | None = None,
    has_names: bool = True,
) -> Table:
    """Return a table of these columns; a name that is there again gets a number.

    A column without a name is `index`, as pandas writes its rows' labels.
    """
    seen: dict[str, int] = {}
    unique: list[str] = []
    for each in (name or "index" for name in names):
        seen[each] = seen.get(each, 0) + 1
        unique.append(each if seen[each] == 1 else f"{each}.{seen[each]}")
    arrays = tuple(
        each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in columns
    )
    if places is None:
        places = np.arange(len(arrays[0]) if arrays else 0, dtype=np.int64)
    return Table(name, format_, tuple(unique), arrays, places, has_names)

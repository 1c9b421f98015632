"""Rows of one version of a Lance table, read in any order and in batches bounded by bytes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hnm.errors import WarehouseError
from hnm.warehouse.lance_table import rebuild_hint

FIRST_ROWS, MOST_ROWS = 256, 65_536
BATCH_BYTES = 64 * 2**20
"""Larger batches read rows in an order that is not the stored one faster: more of them share a page of the file."""

Positions = NDArray[np.int64]


class Rows:
    """A Lance dataset as rows by position, from 0 in stored order.

    How many rows are read at once follows the width of those before them, so that a batch has about `batch_bytes`.
    """

    def __init__(self, dataset: Any, stage: str, batch_bytes: int | None = None) -> None:
        self.dataset = dataset
        self.stage = stage
        self.batch_bytes = batch_bytes or BATCH_BYTES
        self.columns: list[str] = dataset.schema.names
        self._at_once = FIRST_ROWS

    def __len__(self) -> int:
        return int(self.dataset.count_rows())

    def schema(self, columns: Sequence[str]) -> pa.Schema:
        return pa.schema([self.dataset.schema.field(name) for name in columns])

    def slices(self, widths: NDArray[Any]) -> Iterator[slice]:
        """Consecutive slices of things that have so many rows each: as many as may be read at once, at least one."""
        ends = np.cumsum(widths)
        start = 0
        while start < len(ends):
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + self._at_once, side="right")))
            yield slice(start, stop)
            start = stop

    def take(self, positions: Positions, columns: Sequence[str]) -> pa.RecordBatch:
        """The rows at `positions`, in that order; a position may come twice."""
        batch, places = self.take_unordered(positions, columns)
        return batch if places is None else batch.take(pa.array(places))

    def take_unordered(self, positions: Positions, columns: Sequence[str]) -> tuple[pa.RecordBatch, Positions | None]:
        """The rows at `positions` as they are stored, each once, and where in that batch each position's row is; None
        where they are in order."""
        unique, places = np.unique(positions, return_inverse=True)
        if not len(unique):
            return pa.RecordBatch.from_pylist([], self.schema(columns)), None
        try:
            table = self.dataset.take(unique, columns=list(columns))
        except (OSError, ValueError) as error:
            raise self.unreadable(error) from error
        self._at_once = max(1, min(MOST_ROWS, self.batch_bytes * len(unique) // max(table.nbytes, 1)))
        (batch,) = table.combine_chunks().to_batches()
        return batch, None if np.array_equal(unique, positions) else places

    def scan(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows in stored order."""
        try:
            yield from self.dataset.to_batches(
                columns=list(columns), batch_size=MOST_ROWS, batch_size_bytes=self.batch_bytes, batch_readahead=2
            )
        except (OSError, ValueError) as error:
            raise self.unreadable(error) from error

    def unreadable(self, error: Exception) -> WarehouseError:
        return WarehouseError(
            f"rows of {self.stage} cannot be read", why=str(error).splitlines()[0], hint=rebuild_hint(self.stage)
        )

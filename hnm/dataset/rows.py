"""Rows of one version of a Lance table, read in any order and in batches bounded by bytes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hnm.batches import slices
from hnm.errors import WarehouseError
from hnm.warehouse.lance_table import rebuild_hint

FIRST_ROWS, MOST_ROWS = 256, 65_536
BATCH_BYTES = 64 * 2**20
"""Larger batches read rows in an order that is not the stored one faster: more of them share a page of the file."""
IN_ORDER_BYTES = 16 * 2**20
"""Rows that stand side by side, or nearly, are read faster in smaller batches, whose memory is used again."""
BATCHES_PER_SCAN, BATCHES_AHEAD = 4, 2

Positions = NDArray[np.int64]


class Rows:
    """A Lance dataset as rows by position, from 0 in stored order.

    How many rows are read at once follows the width of those before them, so that a batch has about `batch_bytes`, and
    `most_rows` at most: of the columns that are read together, the widest decide. The first time it is `first_rows`.
    """

    def __init__(
        self,
        dataset: Any,
        stage: str,
        batch_bytes: int | None = None,
        most_rows: int = MOST_ROWS,
        first_rows: int = FIRST_ROWS,
    ) -> None:
        self.dataset = dataset
        self.stage = stage
        self.batch_bytes = batch_bytes or BATCH_BYTES
        self.most_rows = most_rows
        self.first_rows = first_rows
        self.columns: list[str] = dataset.schema.names
        self._at_once: dict[tuple[str, ...], int] = {}

    def __len__(self) -> int:
        return int(self.dataset.count_rows())

    def schema(self, columns: Sequence[str]) -> pa.Schema:
        return pa.schema([self.dataset.schema.field(name) for name in columns])

    def slices(self, widths: NDArray[Any]) -> Iterator[slice]:
        """Consecutive slices of things that have so many rows each: as many as may be read at once, at least one."""
        return slices(widths, lambda: min(self._at_once.values(), default=self.first_rows))

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
            batch = self._read(unique, list(columns))
        except (OSError, ValueError) as error:
            raise self.unreadable(error) from error
        return batch, None if np.array_equal(unique, positions) else places

    def _read(self, unique: Positions, columns: list[str]) -> pa.RecordBatch:
        """The rows at these positions, which ascend."""
        count, first = len(unique), int(unique[0])
        reach = int(unique[-1]) - first + 1
        if reach == count:
            table = self.dataset.to_table(columns=columns, offset=first, limit=count, batch_size=count)
        else:
            table = self.dataset.take(unique, columns=columns)
        wanted = min(self.batch_bytes, IN_ORDER_BYTES) if reach <= 2 * count else self.batch_bytes
        self._at_once[tuple(columns)] = max(1, min(self.most_rows, wanted * count // max(table.nbytes, 1)))
        (batch,) = table.combine_chunks().to_batches()
        return batch

    def scan(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows in stored order, of which Lance reads some batches at the same time."""
        start, at_once, wanted = 0, FIRST_ROWS, min(self.batch_bytes, IN_ORDER_BYTES)
        while start < len(self):
            count = min(at_once * BATCHES_PER_SCAN, len(self) - start)
            widest = 1
            try:
                for batch in self.dataset.to_batches(
                    columns=list(columns), offset=start, limit=count, batch_size=at_once, batch_readahead=BATCHES_AHEAD
                ):
                    widest = max(widest, batch.nbytes // max(batch.num_rows, 1))
                    yield batch
            except (OSError, ValueError) as error:
                raise self.unreadable(error) from error
            start += count
            at_once = max(1, min(self.most_rows, wanted // widest))

    def unreadable(self, error: Exception) -> WarehouseError:
        return WarehouseError(
            f"rows of {self.stage} cannot be read", why=str(error).splitlines()[0], hint=rebuild_hint(self.stage)
        )

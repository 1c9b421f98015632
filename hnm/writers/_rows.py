"""Rows of a stream of batches."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 1024


def rows_of(batches: Iterable["pa.RecordBatch"]) -> Iterator[dict[str, Any]]:
    """Each row as {column: value}. Memory: a batch, and 1,024 rows as Python objects."""
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            yield from batch.slice(start, ROWS_AT_ONCE).to_pylist()

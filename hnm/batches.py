"""Streams of Arrow batches cut anew."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def of_size(parts: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `size`; the last one may be smaller."""
    waiting: list[pa.RecordBatch] = []
    for part in parts:
        waiting.append(part)
        if (count := sum(one.num_rows for one in waiting)) < size:
            continue
        rows = pa.concat_batches(waiting) if len(waiting) > 1 else part
        full = count - count % size
        yield from (rows.slice(start, size) for start in range(0, full, size))
        waiting = [rows.slice(full)] if full < count else []
    if waiting:
        yield pa.concat_batches(waiting)


def slices(widths: NDArray[Any], most: Callable[[], int]) -> Iterator[slice]:
    """Consecutive slices of things that are so wide: in each as many as are `most` wide together, at least one.

    `most` is asked before each slice, for it may depend on what was in those before.
    """
    ends = np.cumsum(widths)
    start = 0
    while start < len(ends):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + most(), side="right")))
        yield slice(start, stop)
        start = stop

"""Streams of Arrow batches cut anew."""

from collections.abc import Iterable, Iterator

import pyarrow as pa


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

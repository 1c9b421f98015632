"""What every retriever reads and writes: ids in their order, and rows of candidates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.sqltext import quote

SCHEMA = pa.schema(
    [
        ("query_id", pa.string()),
        ("doc_id", pa.string()),
        ("retriever", pa.string()),
        ("rank", pa.int32()),
        ("score", pa.float32()),
    ]
)
"""One row per candidate; `rank` counts from 1 within a query, `score` is higher for better candidates."""


def empty() -> pa.RecordBatch:
    """No candidates: a first batch that gives the schema whatever follows."""
    return pa.RecordBatch.from_pylist([], schema=SCHEMA)


def batch(
    retriever: str,
    query_ids: pa.Array,
    counts: NDArray[np.int64],
    doc_ids: pa.Array,
    ordinals: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> pa.RecordBatch:
    """Rows for `query_ids`, the first of which has `counts[0]` candidates, best first, and so on.

    `ordinals` (places in `doc_ids`) and `scores` have one entry per candidate, query after query.
    """
    first = np.cumsum(counts) - counts
    ranks = np.arange(1, len(ordinals) + 1) - np.repeat(first, counts)
    return pa.record_batch(
        [
            query_ids.take(pa.array(np.repeat(np.arange(len(counts)), counts))),
            doc_ids.take(pa.array(ordinals)),
            pa.repeat(retriever, len(ordinals)),
            pa.array(ranks, pa.int32()),
            pa.array(scores, pa.float32()),
        ],
        schema=SCHEMA,
    )


def sorted_ids(
    inputs: Inputs, table: str, column: str, where: str = "true", values: Mapping[str, Any] | None = None
) -> pa.Array:
    """All ids of an input in the order of their UTF-8 bytes: memory is proportional to their number.

    Raises StageError when an id is missing or occurs twice, which would make candidates ambiguous.
    """
    name, source = quote(column), quote(table)
    chunks = inputs.table(f"select {name} from {source} where {where} order by {name}", values).column(0).chunks
    ids = pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())
    if ids.null_count:
        raise StageError(f"{table}: {ids.null_count:,} rows have no {column}")
    repeated = ids[1:].filter(pc.equal(ids[1:], ids[:-1]))
    if len(repeated):
        raise StageError(
            f"{table}: {column} {repeated[0].as_py()!r} occurs more than once",
            why="a candidate names one query and one document",
            hint=f"keep one row per {column}",
        )
    return ids

"""What every retriever reads and writes: ids in their order, and rows of candidates."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.retrieval import topk
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
"""One row per candidate; `rank` counts from 1 within a query, and the higher `score` is the better one."""

QUERIES_PER_BATCH = 512

AsFloat = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""From the integer scores in keys to the scores that people see."""


def empty() -> pa.RecordBatch:
    """No candidates: a first batch that gives the schema, whatever follows."""
    return pa.RecordBatch.from_pylist([], schema=SCHEMA)


def batches(
    retriever: str,
    query_ids: pa.Array,
    lists: topk.Keys | list[NDArray[np.int64]],
    doc_ids: pa.Array,
    as_float: AsFloat,
) -> Iterator[pa.RecordBatch]:
    """Rows for `query_ids` from one top-k list of keys for each, the ordinals in which are places in `doc_ids`."""
    for first in range(0, len(query_ids), QUERIES_PER_BATCH):
        some = lists[first : first + QUERIES_PER_BATCH]
        counts = np.array([len(keys) for keys in some])
        keys = np.concatenate(some)
        ranks = np.arange(1, len(keys) + 1) - np.repeat(np.cumsum(counts) - counts, counts)
        yield pa.record_batch(
            [
                query_ids.take(pa.array(np.repeat(np.arange(first, first + len(some)), counts))),
                doc_ids.take(pa.array(topk.ordinals(keys))),
                pa.repeat(retriever, len(keys)),
                pa.array(ranks, pa.int32()),
                pa.array(as_float(topk.scores(keys)), pa.float32()),
            ],
            schema=SCHEMA,
        )


def sorted_ids(
    inputs: Inputs, table: str, column: str, where: str = "true", values: Mapping[str, Any] | None = None
) -> pa.Array:
    """All ids of an input in the order of their UTF-8 bytes; memory is proportional to their number.

    Raises StageError when an id is missing or occurs twice, which would make candidates ambiguous.
    """
    name, source = quote(column), quote(table)
    chunks = inputs.table(f"select {name} from {source} where {where} order by {name}", values).column(0).chunks
    # Ids are text in candidates; a table may have numbers for them.
    ids = (pa.concat_arrays(chunks) if chunks else pa.array([])).cast(pa.string())
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

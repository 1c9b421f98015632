"""Top-k lists of the last build that still hold, and the documents that may enter them.

A list holds as long as its query and all of its members are as they were. What was inserted or changed is scored
against it; a query that lost a member, or is new itself, has to be searched again among all documents.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hnm.inputs import Inputs
from hnm.retrieval import topk
from hnm.retrieval.cosine import UNIT
from hnm.transform import PREVIOUS

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

CHANGED = "changed_vectors"

# Ids are text in the last lists, and may be numbers in the table of vectors.
_ORDINALS = (
    "(select id::varchar as id, row_number() over (order by id) - 1 as ordinal from vectors where kind = '{kind}')"
)
_KEPT = f"""
    select queries.ordinal - $first as query, documents.ordinal as document, score
    from {PREVIOUS}
    join {_ORDINALS.format(kind="query")} as queries on queries.id = query_id
    join {_ORDINALS.format(kind="document")} as documents on documents.id = doc_id
    where
        queries.ordinal >= $first and queries.ordinal < $first + $count
        and query_id not in (select id::varchar from {CHANGED} where kind = 'query')
        and query_id not in (
            select query_id
            from {PREVIOUS}
            join {CHANGED} on kind = 'document' and change <> 'inserted' and id::varchar = doc_id
        )
    order by queries.ordinal, rank
"""
ENTERING = f"""
    select ordinal, vector
    from vectors
    join {_ORDINALS.format(kind="document")} as documents on documents.id = vectors.id::varchar
    where kind = 'document' and vectors.id in (select id from {CHANGED} where kind = 'document')
    order by ordinal
"""
"""The documents that were inserted or changed: their place in the order of ids, and their vectors."""


@dataclass(frozen=True)
class KeptLists:
    """`queries`: which of a block's queries keep their lists, shape (block,); `keys`: those lists, best first."""

    queries: "NDArray[np.bool_]"
    keys: topk.Keys


def kept_lists(inputs: Inputs, first: int, count: int) -> KeptLists:
    """What is kept of the last build for `count` queries from the one at place `first` in the order of ids on.

    Nothing when there was no last build, or what changed since is not known, or not by kind and id.
    """
    if PREVIOUS not in inputs or not _changes_are_told(inputs):
        return KeptLists(np.zeros(count, bool), np.empty((0, 0), np.int64))
    rows = inputs.table(_KEPT, {"first": first, "count": count})
    lengths = np.bincount(_numbers(rows, "query"), minlength=count)
    # Every whole list is as long as the longest: `top_k`, or as many as there are documents with a direction.
    kept = (lengths == lengths.max(initial=0)) & (lengths > 0)
    whole = kept[_numbers(rows, "query")]
    scores = np.rint(_numbers(rows, "score")[whole].astype(np.float64) * UNIT).astype(np.int64)
    keys = topk.pack(scores, _numbers(rows, "document")[whole])
    return KeptLists(kept, keys.reshape(int(kept.sum()), -1) if len(keys) else np.empty((0, 0), np.int64))


def _changes_are_told(inputs: Inputs) -> bool:
    """Whether it is known of which kind and id the changed vectors are: their table may have another `unique_key`."""
    if CHANGED not in inputs:
        return False
    columns = {name.lower() for name in inputs.table(f"select * from {CHANGED} limit 0").schema.names}
    return {"kind", "id"} <= columns


def _numbers(rows: "pa.Table", column: str) -> "NDArray[np.int64]":
    numbers: NDArray[np.int64] = rows.column(column).to_numpy()
    return numbers

"""Candidates by exact nearest-neighbour search over the vectors of one encoder, or of the ensemble."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hnm.context import Advance, Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transform import PREVIOUS, Params, transform

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from hnm.retrieval import topk

    Documents = Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]
    """Ordinals of documents, and their vectors."""


class DenseParams(Params):
    """All documents are read once, `document_block` at a time, for each `query_block` queries, which are held.

    Neither block changes the result.
    """

    retriever: str = Field(min_length=1)
    top_k: int = Field(default=100, ge=1)
    query_block: int = Field(default=16_384, ge=1)
    document_block: int = Field(default=4_096, ge=1)


@transform(
    params=DenseParams,
    inputs=("vectors",),
    optional_inputs=(PREVIOUS,),
    changes=("vectors",),
    scope="key",
    uses="all",
)
def retrieve_dense(inputs: Inputs, params: DenseParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """The `top_k` documents of highest cosine for every query, without approximation.

    `vectors` has `kind` ('document' or 'query'), `id` and `vector` (fixed-size float32; only its direction counts).
    `score` is the cosine in [-1, 1], a multiple of 2**-24, higher is better; equal scores are ranked by `doc_id`. The
    result depends on the vectors alone, to the last bit: not on blocks, threads or row order (`hnm.retrieval.cosine`).
    A vector of zeros has no direction: such a document is no candidate, such a query has none.

    Given `previous` (this stage's last output) and what changed since, lists are maintained: changed documents alone
    are scored against them, and only queries that changed or lost a document are searched again among all.

    Memory: one block of queries with `top_k` keys each, one block of documents, and all ids.

    Raises StageError when a vector is missing, not finite, or not of a fixed size, and when an id occurs twice.
    """
    import pyarrow as pa

    from hnm.retrieval import candidates, cosine

    def ids(kind: str) -> "pa.Array":
        return candidates.sorted_ids(inputs, "vectors", "id", "kind = $kind", {"kind": kind})

    query_ids, doc_ids = ids("query"), ids("document")
    yield candidates.empty()
    with context.progress(f"retrieving by {params.retriever}", len(query_ids) * len(doc_ids), "pairs") as advance:
        for first, directed, queries in _blocks(inputs, "query", params.query_block):
            search = _Search(inputs, params, context.settings.cores, queries, advance)
            found = search.maintained(first, directed)
            searched = query_ids[first : first + len(queries)].filter(pa.array(directed))
            yield from candidates.batches(params.retriever, searched, found, doc_ids, cosine.as_float)


@dataclass(frozen=True)
class _Search:
    """The search for one block of queries."""

    inputs: Inputs
    params: DenseParams
    cores: int
    queries: "NDArray[np.float64]"
    advance: Advance

    def maintained(self, first: int, directed: "NDArray[np.bool_]") -> "topk.Keys":
        """The lists of the queries that have a direction; `first`: the place of the block's first query."""
        import numpy as np

        from hnm.retrieval import topk
        from hnm.transforms._maintained_lists import kept_lists

        kept = kept_lists(self.inputs, first, len(self.queries))
        if not kept.queries.any():
            return self._best(directed, self._all_documents())
        entering = self._best(kept.queries, self._entering_documents())
        maintained = topk.merge(kept.keys, entering, self.params.top_k)
        lists = np.empty((len(self.queries), maintained.shape[1]), np.int64)
        lists[kept.queries] = maintained
        again = directed & ~kept.queries
        if again.any():
            lists[again] = self._best(again, self._all_documents())
        return lists[directed]

    def _best(self, chosen: "NDArray[np.bool_]", documents: "Documents") -> "topk.Keys":
        from hnm.retrieval import cosine, topk

        return topk.search(self.queries[chosen], documents, cosine.cosines, self.params.top_k, self.cores)

    def _all_documents(self) -> "Documents":
        import numpy as np

        for first, directed, rows in _blocks(self.inputs, "document", self.params.document_block):
            yield first + np.flatnonzero(directed), rows[directed]
            self.advance(len(rows) * len(self.queries))

    def _entering_documents(self) -> "Documents":
        from hnm.retrieval.cosine import on_grid
        from hnm.transforms._maintained_lists import ENTERING

        for batch in self.inputs.sql(ENTERING, batch_rows=self.params.document_block):
            rows, directed = on_grid(_matrix(batch.column("vector"), "document"))
            yield batch.column("ordinal").to_numpy()[directed], rows[directed]


def _blocks(inputs: Inputs, kind: str, block: int) -> Iterator[tuple[int, "NDArray[np.bool_]", "NDArray[np.float64]"]]:
    """Vectors of one kind by id: the place of a block's first row, which rows have a direction, and the rows."""
    from hnm.retrieval.cosine import on_grid

    first = 0
    for batch in inputs.in_order("vectors", "vector", "id", "kind = $kind", {"kind": kind}, batch_rows=block):
        rows, directed = on_grid(_matrix(batch.column(0), kind))
        yield first, directed, rows
        first += len(rows)


def _matrix(vectors: "pa.Array", kind: str) -> "NDArray[Any]":
    """An Arrow column of vectors as an array of shape (rows, width)."""
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_fixed_size_list(vectors.type):
        raise StageError(f"vectors: `vector` is {vectors.type}", hint="make it a list of fixed size, FLOAT[n]")
    values = vectors.flatten()
    if vectors.null_count or values.null_count:
        raise StageError(f"vectors: a {kind} has no vector, or one with missing components")
    matrix: NDArray[Any] = values.to_numpy().reshape(len(vectors), vectors.type.list_size)
    if not np.isfinite(matrix).all():
        raise StageError(f"vectors: a {kind} has a vector that is not finite", hint="see the stage that made it")
    return matrix

"""Candidates by exact nearest-neighbour search over the vectors of one encoder, or of the ensemble."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hnm.context import Advance, Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


class DenseParams(Params):
    """All documents are read once, `document_block` at a time, for each `query_block` queries, which are held.

    Neither block changes the result.
    """

    retriever: str = Field(min_length=1)
    top_k: int = Field(default=100, ge=1)
    query_block: int = Field(default=16_384, ge=1)
    document_block: int = Field(default=4_096, ge=1)


@transform(params=DenseParams, inputs=("vectors",))
def retrieve_dense(inputs: Inputs, params: DenseParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """The `top_k` documents of highest cosine for every query, without approximation.

    `vectors` has `kind` ('document' or 'query'), `id` and `vector` (fixed-size float32; only its direction counts).
    `score` is the cosine in [-1, 1], a multiple of 2**-24, higher is better; equal scores are ranked by `doc_id`. The
    result depends on the vectors alone, to the last bit: not on blocks, threads or row order (`hnm.retrieval.cosine`).
    A vector of zeros has no direction: such a document is no candidate, such a query has none.

    Memory: one block of queries with `top_k` keys each, one block of documents, and all ids.

    Raises StageError when a vector is missing, not finite, or not of a fixed size, and when an id occurs twice.
    """
    import pyarrow as pa

    from hnm.retrieval import candidates, cosine, topk

    def ids(kind: str) -> "pa.Array":
        return candidates.sorted_ids(inputs, "vectors", "id", "kind = $kind", {"kind": kind})

    query_ids, doc_ids = ids("query"), ids("document")
    yield candidates.empty()
    with context.progress(f"retrieving by {params.retriever}", len(query_ids) * len(doc_ids), "pairs") as advance:
        for first, directed, queries in _blocks(inputs, "query", params.query_block):
            documents = _documents(inputs, params.document_block, len(queries), advance)
            found = topk.search(queries[directed], documents, cosine.cosines, params.top_k, context.settings.threads)
            searched = query_ids[first : first + len(queries)].filter(pa.array(directed))
            yield from candidates.batches(params.retriever, searched, found, doc_ids, cosine.as_float)


def _documents(
    inputs: Inputs, block: int, queries: int, advance: Advance
) -> Iterator[tuple["NDArray[np.int64]", "NDArray[np.float64]"]]:
    """Documents that have a direction, with their ordinals; advances by the pairs that were scored."""
    import numpy as np

    for first, directed, rows in _blocks(inputs, "document", block):
        yield first + np.flatnonzero(directed), rows[directed]
        advance(len(rows) * queries)


def _blocks(inputs: Inputs, kind: str, block: int) -> Iterator[tuple[int, "NDArray[np.bool_]", "NDArray[np.float64]"]]:
    """Vectors of one kind by id: the place of a block's first row, which rows have a direction, and the rows."""
    from hnm.retrieval.cosine import on_grid

    first = 0
    query = "select vector from vectors where kind = $kind order by id"
    for batch in inputs.sql(query, {"kind": kind}, batch_rows=block):
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

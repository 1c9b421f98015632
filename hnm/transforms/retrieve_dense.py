"""Candidates by exact nearest-neighbour search over the vectors of one encoder or of the ensemble."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


class DenseParams(Params):
    """`query_block` queries are held at once, and for each such block all documents are read once, `document_block` at a
    time. Neither changes the result.
    """

    retriever: str = Field(min_length=1)
    top_k: int = Field(default=100, ge=1)
    query_block: int = Field(default=16_384, ge=1)
    document_block: int = Field(default=4_096, ge=1)


@transform(params=DenseParams, inputs=("vectors",))
def retrieve_dense(inputs: Inputs, params: DenseParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """The `top_k` documents of highest cosine for every query, without approximation.

    `vectors` has `kind` ('document' or 'query'), `id` and `vector` (fixed-size float32; only its direction counts).
    `score` is the cosine in [-1, 1], higher is better, a multiple of 2**-24; equal scores are ranked by `doc_id`. The result depends
    on the vectors alone, bit for bit: not on blocks, threads, row order or machine (see `hnm.retrieval.cosine`).
    A vector of zeros has no direction: such a document is nobody's candidate, such a query has none.

    Memory: one block of queries, one of documents, their `top_k` keys and all ids; never queries by documents.

    Raises StageError when `vector` is not a fixed-size list, is missing or not finite, or when an id occurs twice.
    """
    from hnm.retrieval import candidates, cosine, topk

    ids = {kind: candidates.sorted_ids(inputs, "vectors", "id", "kind = $kind", {"kind": kind}) for kind in KINDS}
    total = len(ids["query"]) * len(ids["document"])
    yield candidates.empty()
    with context.progress(f"retrieving by {params.retriever}", total, "pairs") as advance:
        for queries, rows in _blocks(inputs, "query", params.query_block):
            documents = _blocks(inputs, "document", params.document_block, lambda count: advance(count * len(rows)))
            ...

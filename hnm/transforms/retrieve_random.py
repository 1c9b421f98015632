"""Random candidates: what hard negatives are compared with, and what keeps a fresh model from forgetting easy ones."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

QUERY_BLOCK = 16_384
DOCUMENT_BLOCK = 4_096


class RandomParams(Params):
    """`per_query` documents for each query; another `seed` draws others."""

    retriever: str = Field(default="random", min_length=1)
    per_query: int = Field(default=10, ge=1)
    seed: int = 0


@transform(params=RandomParams, inputs=("corpus", "queries"), uses="all")
def retrieve_random(inputs: Inputs, params: RandomParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """A uniform sample of `per_query` documents without replacement for every query; all of them when there are fewer.

    Each pair of query and document has a pseudo-random priority, a hash of both ids and the seed; a query gets the
    documents of highest priority, and `rank` is their order. So a query's sample depends on no other query. A new
    document enters a sample with probability `per_query` / documents and displaces its last member; a deleted one
    leaves its place to the next. A smaller `per_query` gives the beginning of the same sample. `score` is 0: a random
    draw says nothing about relevance.

    Source: rendezvous hashing, Thaler and Ravishankar, IEEE/ACM Transactions on Networking 6(1), 1998.
    Memory: ids and hashes of all documents, and one block of priorities per thread. Time: queries by documents, a small
    part of what dense retrieval takes.

    Raises StageError when an id is missing or occurs twice.
    """
    import numpy as np

    from hnm.retrieval import candidates, topk
    from hnm.retrieval.hashing import hash_ids, hash_pairs

    query_ids = candidates.sorted_ids(inputs, "queries", "query_id")
    doc_ids = candidates.sorted_ids(inputs, "corpus", "doc_id")
    documents = hash_ids(doc_ids.to_pylist(), "document")

    def blocks() -> Iterator[tuple["NDArray[np.int64]", "NDArray[np.uint64]"]]:
        for first in range(0, len(documents), DOCUMENT_BLOCK):
            block = documents[first : first + DOCUMENT_BLOCK]
            yield np.arange(first, first + len(block)), block

    yield candidates.empty()
    with context.progress("drawing random candidates", len(query_ids), "queries") as advance:
        for first in range(0, len(query_ids), QUERY_BLOCK):
            some = query_ids[first : first + QUERY_BLOCK]
            queries = hash_ids(some.to_pylist(), f"query {params.seed}")
            drawn = topk.search(queries, blocks(), hash_pairs, params.per_query, context.settings.cores)
            yield from candidates.batches(params.retriever, some, drawn, doc_ids, np.zeros_like)
            advance(len(some))

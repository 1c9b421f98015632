"""Candidates by BM25."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

QUERY_BLOCK = 512
DOCUMENT_BLOCK = 4_096

# Only ids are sorted: sorting texts would take their memory.
_DOCUMENTS = """
    select concat_ws(' ', title, text), ordinal
    from corpus
    join (select doc_id, row_number() over (order by doc_id) - 1 as ordinal from corpus) using (doc_id)
"""

Stemmer = Literal[
    "none", "arabic", "danish", "dutch", "english", "finnish", "french", "german", "hungarian", "italian", "norwegian",
    "porter", "portuguese", "romanian", "russian", "spanish", "swedish", "turkish",
]  # fmt: skip
StopWords = Literal[
    "none", "chinese", "danish", "dutch", "english", "french", "german", "italian", "korean", "norwegian", "portuguese",
    "russian", "spanish", "swedish", "turkish",
]  # fmt: skip


class BM25Params(Params):
    """`k1` (how soon repeated terms saturate) and `b` (how much long documents pay) default to Lucene's values.

    `method` is the variant, see Kamphuis et al., "Which BM25 do you mean?", ECIR 2020; `stemmer` is one of Snowball's.
    """

    retriever: str = Field(default="bm25", min_length=1)
    top_k: int = Field(default=100, ge=1)
    method: Literal["lucene", "robertson", "atire"] = "lucene"
    k1: float = Field(default=1.2, ge=0, allow_inf_nan=False)
    b: float = Field(default=0.75, ge=0, le=1)
    stemmer: Stemmer = "english"
    stop_words: StopWords = "english"


@transform(params=BM25Params, inputs=("corpus", "queries"), packages=("bm25s", "PyStemmer"))
def retrieve_bm25(inputs: Inputs, params: BM25Params, context: Context) -> Iterator["pa.RecordBatch"]:
    """The `top_k` documents of highest BM25 score for every query, over title and text as one.

    Only documents that score above 0 are candidates, so a query without a known term has none. `score` is not bounded,
    higher is better, and is what bm25s computes. Equal scores are ranked by `doc_id`, also at the cut-off: bm25s' own
    selection is arbitrary there, so the selection is made here, from the scores of all documents. Terms are lower-case
    words of two characters and more; a word repeated in a query counts as often. Languages that are written without
    spaces need a retriever of their own.

    Memory: ids, terms and index of the whole corpus (about 16 bytes per word); queries come in blocks.

    Raises StageError when an id is missing or occurs twice.
    """
    from hnm.retrieval import candidates, float_scores
    from hnm.retrieval.bm25 import BM25Index

    query_ids = candidates.sorted_ids(inputs, "queries", "query_id")
    doc_ids = candidates.sorted_ids(inputs, "corpus", "doc_id")
    yield candidates.empty()
    documents = inputs.sql(_DOCUMENTS, batch_rows=DOCUMENT_BLOCK)
    index = BM25Index(params, len(doc_ids), documents, context)
    with context.progress(f"retrieving by {params.retriever}", len(query_ids), "queries") as advance:
        first = 0
        texts = "select coalesce(text, '') from queries order by query_id"
        for batch in inputs.sql(texts, batch_rows=QUERY_BLOCK):
            found = index.lists(batch.column(0).to_pylist())
            searched = query_ids[first : first + len(found)]
            yield from candidates.batches(params.retriever, searched, found, doc_ids, float_scores.as_float)
            first += len(found)
            advance(len(found))

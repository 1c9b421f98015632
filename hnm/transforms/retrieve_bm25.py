"""Candidates by BM25."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

QUERY_BLOCK = 512
DOCUMENT_BLOCK = 4_096

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
    from bm25s.tokenization import Tokenizer
    from Stemmer import Stemmer as Snowball

    from hnm.retrieval import candidates, float_scores

    query_ids = candidates.sorted_ids(inputs, "queries", "query_id")
    doc_ids = candidates.sorted_ids(inputs, "corpus", "doc_id")
    yield candidates.empty()
    tokenizer = Tokenizer(
        stopwords=None if params.stop_words == "none" else params.stop_words,
        stemmer=None if params.stemmer == "none" else Snowball(params.stemmer),
    )
    index = _index(inputs, params, tokenizer, len(doc_ids), context)
    if index is None:
        return
    with context.progress(f"retrieving by {params.retriever}", len(query_ids), "queries") as advance:
        first = 0
        texts = "select coalesce(text, '') from queries order by query_id"
        for batch in inputs.sql(texts, batch_rows=QUERY_BLOCK):
            terms = _terms(tokenizer, batch, known_only=True)
            scores = [index.get_scores_from_ids(query) for query in terms]
            found = [float_scores.best((row > 0).nonzero()[0], row[row > 0], params.top_k) for row in scores]
            searched = query_ids[first : first + len(found)]
            yield from candidates.batches(params.retriever, searched, found, doc_ids, float_scores.as_float)
            first += len(found)
            advance(len(found))


def _terms(tokenizer: Any, texts: "pa.RecordBatch", known_only: bool) -> list[list[int]]:
    """Term numbers of the first column's texts; `known_only` leaves out terms that no document has."""
    # Not "never": that would also drop an unseen word whose stem is known.
    return list(
        tokenizer.streaming_tokenize(texts.column(0).to_pylist(), update_vocab=not known_only, allow_empty=False)
    )


def _index(inputs: Inputs, params: BM25Params, tokenizer: Any, documents: int, context: Context) -> Any:
    """A bm25s index of the corpus by `doc_id`, or None when no document has a term."""
    from bm25s import BM25
    from bm25s.tokenization import Tokenized

    terms: list[list[int]] = [[]] * documents
    # Only ids are sorted: sorting texts would take their memory.
    texts = """
        select concat_ws(' ', title, text), ordinal
        from corpus
        join (select doc_id, row_number() over (order by doc_id) - 1 as ordinal from corpus) using (doc_id)
    """
    with context.progress("reading terms", documents, "documents") as advance:
        for batch in inputs.sql(texts, batch_rows=DOCUMENT_BLOCK):
            found = _terms(tokenizer, batch, known_only=False)
            for place, of_document in zip(batch.column(1).to_pylist(), found, strict=True):
                terms[place] = of_document
            advance(len(batch))
    vocabulary = tokenizer.get_vocab_dict()
    if not vocabulary:
        return None
    index = BM25(k1=params.k1, b=params.b, method=params.method)
    with context.progress("indexing terms", None, "documents"):
        index.index(Tokenized(terms, vocabulary), create_empty_token=False, show_progress=False)
    return index

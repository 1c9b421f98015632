"""Candidates by Lance's own full-text index."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

QUERY_BLOCK = 512
DOCUMENT_BLOCK = 4_096

Language = Literal[
    "arabic", "danish", "dutch", "english", "finnish", "french", "german", "greek", "hungarian", "italian", "norwegian",
    "portuguese", "romanian", "russian", "spanish", "swedish", "tamil", "turkish",
]  # fmt: skip


class FulltextParams(Params):
    """How texts become terms. `language` is that of stems and stop words.

    `tokenizer`: `simple` cuts at white space and punctuation, `whitespace` at white space alone, `icu` finds the words
    of scripts without spaces by Unicode's dictionaries, `ngram` takes every run of three letters (and neither stems nor
    leaves out stop words).
    `max_term_length`: longer terms are left out; null for none. `fold_accents`: é is e.
    """

    retriever: str = Field(default="fulltext", min_length=1)
    top_k: int = Field(default=100, ge=1)
    tokenizer: Literal["simple", "whitespace", "icu", "ngram"] = "simple"
    language: Language = "english"
    stem: bool = True
    stop_words: bool = True
    fold_accents: bool = True
    max_term_length: int | None = Field(default=40, ge=1)


@transform(params=FulltextParams, inputs=("corpus", "queries"), uses="all", packages=("pylance",))
def retrieve_fulltext(inputs: Inputs, params: FulltextParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """The `top_k` documents of highest BM25 score by Lance's inverted index, over title and text as one.

    Only documents with a term of the query are candidates. `score` is above 0, higher is better: the sum over the
    query's terms, repeated ones repeatedly, of idf · c (k1 + 1) / (c + k1 (1 - b + b · length / mean length)) with
    idf = ln(1 + (n - f + 0.5) / (f + 0.5)), k1 = 1.2 and b = 0.75, which Lance does not let one choose. n and the mean
    length are over documents that have a term at all. Equal scores are ranked by `doc_id`, also at the cut-off: a list
    is asked for again, twice as long, while its last score is that of rank `top_k`.

    Unlike `retrieve_bm25`, the index is on disk (in the stage's work folder) and the corpus never in memory, except for
    its ids; building takes up to 1 GB, and queries come in blocks. Lance takes one text per question: a block's
    questions are spread over the cores.

    Raises StageError when an id is missing or occurs twice.
    """
    import pyarrow as pa

    from hnm.retrieval import candidates, float_scores

    query_ids = candidates.sorted_ids(inputs, "queries", "query_id")
    doc_ids = candidates.sorted_ids(inputs, "corpus", "doc_id")
    yield candidates.empty()
    if not len(query_ids) or not len(doc_ids):
        return
    index = _index(inputs, params, len(doc_ids), context)
    texts = "select coalesce(text, '') as text from queries order by query_id"
    with (
        context.progress(f"retrieving by {params.retriever}", len(query_ids), "queries") as advance,
        ThreadPoolExecutor(context.settings.cores) as pool,
    ):
        first = 0
        for batch in inputs.sql(texts, batch_rows=QUERY_BLOCK):
            found = list(pool.map(partial(_best, index, params.top_k), batch.column(0).to_pylist()))
            asked: pa.Array = query_ids[first : first + len(found)]
            yield from candidates.batches(params.retriever, asked, found, doc_ids, float_scores.as_float)
            first += len(found)
            advance(len(found))


def _index(inputs: Inputs, params: FulltextParams, documents: int, context: Context) -> Any:
    """A Lance dataset (ordinal by `doc_id`, text) with an inverted index that covers every row."""
    from hnm.warehouse.lance_table import open_version, write_version

    path = context.workdir / "fulltext"
    texts = "select row_number() over (order by doc_id) - 1 as ordinal, concat_ws(' ', title, text) as text from corpus"
    words = params.tokenizer != "ngram"
    with context.progress("indexing terms", None, "documents"):
        rows = inputs.sql(f"{texts} order by ordinal", batch_rows=DOCUMENT_BLOCK)
        dataset = open_version(path, write_version(path, rows))
        dataset.create_scalar_index(
            "text",
            "INVERTED",
            base_tokenizer=params.tokenizer,
            language=params.language.capitalize(),
            stem=words and params.stem,
            remove_stop_words=words and params.stop_words,
            ascii_folding=params.fold_accents,
            max_token_length=params.max_term_length,
            num_workers=1,  # shards would depend on the number of cores
            memory_limit=1024,
        )
        # Rows outside the index would be scored with other statistics.
        dataset.optimize.optimize_indices()
    context.record(documents=documents)
    return dataset


def _best(index: Any, top_k: int, query: str) -> "NDArray[np.int64]":
    """The keys of the best documents for one query."""
    import numpy as np
    from lance.query import MatchQuery

    from hnm.retrieval import float_scores

    limit = top_k + 1
    while True:
        table = index.scanner(
            columns=["ordinal", "_score"], full_text_query=MatchQuery(query, "text"), limit=limit
        ).to_table()
        scores = np.sort(table.column("_score").to_numpy())[::-1]
        # All that are as good as rank `top_k` are there when the list has ended, or goes on below that score.
        if len(scores) < limit or scores[-1] < scores[top_k - 1]:
            ordinals = table.column("ordinal").to_numpy()
            return float_scores.best(ordinals, table.column("_score").to_numpy(), top_k)
        limit *= 2

"""Documents by their terms, and the lists that BM25 gives: for the retriever, and for searching."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from bm25s import BM25
from bm25s.tokenization import Tokenized, Tokenizer
from numpy.typing import NDArray
from Stemmer import Stemmer

from hnm.context import Context
from hnm.retrieval import float_scores

if TYPE_CHECKING:
    from hnm.transforms.retrieve_bm25 import BM25Params


class BM25Index:
    """An index by bm25s. Memory: about 16 bytes per word. Not for several threads at once: the stemmer keeps state."""

    def __init__(
        self, params: "BM25Params", documents: int, batches: Iterable[pa.RecordBatch], context: Context
    ) -> None:
        """`batches`: a text in the first column, in the second its document's ordinal, below `documents`."""
        self._top_k = params.top_k
        self._tokenizer = Tokenizer(
            stopwords=None if params.stop_words == "none" else params.stop_words,
            stemmer=None if params.stemmer == "none" else Stemmer(params.stemmer),
        )
        terms: list[list[int]] = [[]] * documents
        with context.progress("reading terms", documents, "documents") as advance:
            for batch in batches:
                found = self._terms(batch.column(0).to_pylist(), known_only=False)
                for place, of_document in zip(batch.column(1).to_pylist(), found, strict=True):
                    terms[place] = of_document
                advance(len(batch))
        self._index = self._indexed(terms, params, context)

    def lists(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """For each text, the keys (`hnm.retrieval.topk`) of the best `top_k` documents that score above 0."""
        if self._index is None:
            return [np.empty(0, np.int64) for _ in texts]
        scores = [self._index.get_scores_from_ids(terms) for terms in self._terms(texts, known_only=True)]
        return [float_scores.best_above_zero(row, self._top_k) for row in scores]

    def _terms(self, texts: Sequence[str], known_only: bool) -> list[list[int]]:
        """Term numbers of each text; `known_only` leaves out terms that no document has."""
        # Not "never": that would also drop an unseen word whose stem is known.
        return list(self._tokenizer.streaming_tokenize(texts, update_vocab=not known_only, allow_empty=False))

    def _indexed(self, terms: list[list[int]], params: "BM25Params", context: Context) -> Any:
        """None when no document has a term."""
        vocabulary = self._tokenizer.get_vocab_dict()
        if not vocabulary:
            return None
        index = BM25(k1=params.k1, b=params.b, method=params.method)
        with context.progress("indexing terms", None, "documents"):
            index.index(Tokenized(terms, vocabulary), create_empty_token=False, show_progress=False)
        return index

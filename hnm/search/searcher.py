"""A project's search, loaded once: first stage by every retriever, fused, and reranked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hnm.context import Settings
from hnm.errors import QueryError
from hnm.explained import Place
from hnm.models.cross_encoder import CHARACTERS_PER_TOKEN, score_pairs
from hnm.retrieval import cosine, float_scores, topk
from hnm.retrieval.bm25 import BM25Index
from hnm.retrieval.interpolation import interpolated
from hnm.search.documents import DenseIndex
from hnm.search.hits import Hit
from hnm.search.query_vectors import QueryVectors
from hnm.trained import Reranker

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

    from hnm.search.langchain import HnmRetriever

Keys = NDArray[np.int64]


@dataclass(frozen=True)
class Loaded:
    """All that a search reads. `vectors`: by retriever, the stage of its vectors. `documents`: in order of doc_id."""

    documents: pa.Table
    lexical: Mapping[str, BM25Index]
    dense: Mapping[str, DenseIndex]
    vectors: Mapping[str, str]
    encoders: QueryVectors
    reranker: Reranker | None
    cross_encoder: "CrossEncoder | None"
    rrf_k: float
    settings: Settings


class Searcher:
    """Finds documents for texts. Made by `Project.searcher`; holds a snapshot, and does not see later runs.

    `retrievers`: those that are asked. `reranker`: the name of the cross-encoder, None for none. `depth`: how many of
    the fused list it reads. Several threads may call it; they take turns, and torch uses all cores for each in turn.
    """

    def __init__(self, loaded: Loaded, retrievers: Sequence[str], depth: int, notes: Sequence[str] = ()) -> None:
        """`notes`: in words, what is not as one might expect."""
        self.retrievers = tuple(retrievers)
        self.reranker = loaded.reranker.name if loaded.reranker else None
        self.depth = depth
        self.notes = tuple(notes)
        self._loaded = loaded
        self._lock = Lock()

    def __len__(self) -> int:
        """How many documents there are."""
        return int(self._loaded.documents.num_rows)

    @property
    def memory(self) -> dict[str, int]:
        """Bytes held, by what they are for; BM25's index and the libraries come on top."""
        loaded = self._loaded
        models = [*loaded.encoders.modules(), *([loaded.cross_encoder] if loaded.cross_encoder else [])]
        return {
            "texts": loaded.documents.nbytes,
            "vectors": sum(index.memory for index in loaded.dense.values()),
            "models": sum(value.nbytes for model in models for value in model.parameters()),
        }

    def search(self, text: str, top: int = 10) -> list[Hit]:
        """The best `top` documents for a text, best first. Raises QueryError for an empty text."""
        return self.search_many([text], top)[0]

    def search_many(self, texts: Sequence[str], top: int = 10) -> list[list[Hit]]:
        """The hits of each text. Raises QueryError for an empty one."""
        clean = [_readable(text) for text in texts]
        if top < 1:
            raise QueryError(f"top must be at least 1, not {top}")
        if not clean:
            return []
        with self._lock:
            lists = self._lists(clean)
            return [self._hits(text, {name: lists[name][n] for name in lists}, top) for n, text in enumerate(clean)]

    def as_langchain(self, top: int = 10) -> "HnmRetriever":
        """A retriever for LangChain that gives the best `top` documents. Raises QueryError without langchain-core."""
        from hnm.search.langchain import as_langchain

        return as_langchain(self, top)

    def _lists(self, texts: Sequence[str]) -> dict[str, list[Keys]]:
        """By retriever, the keys of each text's list."""
        loaded = self._loaded
        vectors = loaded.encoders.of(texts)
        return {
            name: loaded.lexical[name].lists(texts)
            if name in loaded.lexical
            else loaded.dense[name].lists(vectors[loaded.vectors[name]], loaded.settings.cores)
            for name in self.retrievers
        }

    def _hits(self, text: str, lists: Mapping[str, Keys], top: int) -> list[Hit]:
        found = {name: self._places(name, keys) for name, keys in lists.items()}
        fused = self._fused(found)
        scores = self._reranked(text, list(fused)[: self.depth])
        mixed = self._interpolated(scores, found)
        # Python's sort is stable: equal scores stay in the fused order, and what was not reranked comes after.
        order = sorted(
            fused, key=lambda place: (-mixed.get(place, 0), -scores[place]) if place in scores else (float("inf"), 0)
        )
        documents = self._loaded.documents.select(["doc_id", "title", "text"])
        rows = documents.take(pa.array(order[:top], pa.int64())).to_pylist()
        return [
            Hit(
                rank,
                **row,
                found={name: found[name][place] for name in found if place in found[name]},
                fused=fused[place],
                reranker_score=scores.get(place),
                interpolated_score=mixed.get(place),
            )
            for rank, (place, row) in enumerate(zip(order, rows, strict=False), 1)
        ]

    def _places(self, name: str, keys: Keys) -> dict[int, Place]:
        """A list as places by document."""
        as_float = float_scores.as_float if name in self._loaded.lexical else cosine.as_float
        scores = as_float(topk.scores(keys)).tolist()
        return {place: Place(rank, scores[rank - 1]) for rank, place in enumerate(topk.ordinals(keys).tolist(), 1)}

    def _fused(self, found: Mapping[str, Mapping[int, Place]]) -> dict[int, Place]:
        """All documents by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009), the best first."""
        parts: dict[int, list[float]] = {}
        for places in found.values():
            for document, place in places.items():
                parts.setdefault(document, []).append(1 / (self._loaded.rrf_k + place.rank))
        points = {document: fsum(of_document) for document, of_document in parts.items()}  # whatever their order
        order = sorted(points, key=lambda document: (-points[document], document))
        return {document: Place(rank, points[document]) for rank, document in enumerate(order, 1)}

    def _reranked(self, text: str, documents: Sequence[int]) -> dict[int, float]:
        """The cross-encoder's logits by document."""
        loaded = self._loaded
        if loaded.cross_encoder is None or loaded.reranker is None or not documents:
            return {}
        limit = loaded.reranker.max_length * CHARACTERS_PER_TOKEN
        texts = loaded.documents.column("text").take(pa.array(documents, pa.int64())).to_pylist()
        pairs = [(text[:limit], document[:limit]) for document in texts]
        scores = score_pairs(loaded.cross_encoder, pairs, loaded.settings, loaded.reranker.batch_size)
        return dict(zip(documents, scores.tolist(), strict=True))

    def _interpolated(self, scores: Mapping[int, float], found: Mapping[str, Mapping[int, Place]]) -> dict[int, float]:
        """By document, the logits with the ranks by retrievers; empty where the reranker's scores count alone.

        A document that a retriever did not return counts as one place behind its last, as in `interpolate`.
        """
        weights = self._loaded.reranker.weights if self._loaded.reranker else {}
        if not weights or not scores:
            return {}
        ranks = {
            name: [found[name][place].rank if place in found[name] else len(found[name]) + 1 for place in scores]
            for name in weights
        }
        mixed = interpolated(list(scores.values()), ranks, weights)
        return dict(zip(scores, mixed.tolist(), strict=True))


def _readable(text: str) -> str:
    """A text that tokenizers take: bytes of the command line that were no UTF-8 are replaced."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    if not clean.strip():
        raise QueryError("the text to search for is empty", hint='for example `hnm search "some words"`')
    return clean


def memory_in_words(memory: Mapping[str, int]) -> str:
    """For example `texts 25 MB, vectors 60 MB`."""
    return ", ".join(f"{name} {count / 1e6:,.0f} MB" for name, count in memory.items())

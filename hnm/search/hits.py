"""What a search finds: data alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from hnm.explained import Place


@dataclass(frozen=True)
class Hit:
    """A document found for a text. All scores: higher is better.

    `rank`: from 1. `text`: as the models read it, so with the title before it. `found`: its place in the list of each
    retriever that returned it; BM25's scores are not bounded, those of vectors are cosines. `fused`: its place by
    reciprocal rank fusion of these lists. `reranker_score`: the cross-encoder's logit; None when it was not reranked.
    `interpolated_score`: that logit with the ranks in these lists, where the reranker is asked for so.
    """

    rank: int
    doc_id: str
    title: str
    text: str
    found: Mapping[str, Place]
    fused: Place
    reranker_score: float | None
    interpolated_score: float | None = None

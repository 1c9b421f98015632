"""A reranker's scores of one list, with the ranks that retrievers gave the same documents mixed in. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def interpolated(
    scores: ArrayLike, ranks: Mapping[str, Sequence[int]], weights: Mapping[str, float]
) -> NDArray[np.float64]:
    """z(score) + sum over retrievers of weight x -ln(rank), shape (documents,), higher is better.

    scores: the reranker's, of one list, shape (documents,), at least one; z is the distance from their mean in standard
    deviations (of all of them, not of a sample), 0 where all are equal. ranks: by retriever, one per document, from 1.
    weights: by retriever; those without one count nothing.

    Standard deviations, because each model has a range of logits of its own; ranks, because the scores of retrievers
    differ in kind; their logarithm, because the first places differ by more than the last.
    """
    logits = np.asarray(scores, np.float64)
    spread = np.ptp(logits) > 0  # the mean of equal numbers may differ from them in the last bit
    mixed = (logits - logits.mean()) / logits.std() if spread else np.zeros_like(logits)
    for name, weight in weights.items():
        mixed -= weight * np.log(np.asarray(ranks[name], np.float64))
    return mixed

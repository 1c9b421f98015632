"""Float scores in the packed keys of `hnm.retrieval.topk`, for retrievers whose scores are above 0.

The bits of floats that are not negative, read as integers, keep their order.
"""

import numpy as np
from numpy.typing import NDArray

from hnm.retrieval import topk


def best(ordinals: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The keys of the `k` highest `scores`, none of which may be negative, best first; equal ones by ordinal."""
    bits = scores.view(np.int32).astype(np.int64)
    keys: NDArray[np.int64] = topk.select(topk.pack(bits[None, :], ordinals), k)[0]
    return keys


def best_above_zero(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The keys of the `k` highest of the `scores` of all documents, in the order of their ordinals, that are above 0.

    Most documents have a term of the query, and few come near the best: those below the cut-off are put aside first.
    """
    surplus = len(scores) - k
    cut_off = np.partition(scores, surplus)[surplus] if surplus > 0 else 0
    places = (scores >= cut_off if cut_off > 0 else scores > 0).nonzero()[0]
    return best(places, scores[places], k)


def as_float(bits: NDArray[np.int64]) -> NDArray[np.float32]:
    """The scores that went into the keys."""
    return bits.astype(np.int32).view(np.float32)

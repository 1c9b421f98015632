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


def as_float(bits: NDArray[np.int64]) -> NDArray[np.float32]:
    """The scores that went into the keys."""
    return bits.astype(np.int32).view(np.float32)

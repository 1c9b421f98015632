"""Stable hashes: of ids once per id, and of pairs of ids in bulk."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

CACHED_PAIRS = 131_072
"""Hashed at a time: 1 MB."""


def hash_ids(ids: Iterable[str], salt: str) -> NDArray[np.uint64]:
    """64 bits per id, equal on every machine; another `salt` gives unrelated hashes."""
    prefix = f"{salt}\0".encode()
    digests = (blake2b(prefix + name.encode(), digest_size=8).digest() for name in ids)
    return np.frombuffer(b"".join(digests), dtype="<u8")


def hash_pairs(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.int64]:
    """31 pseudo-random bits per pair of hashes, shape (left, right): the finalizer of splitmix64 over their XOR.

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    pairs = np.empty((len(left), len(right)), np.int64)
    # In pieces that a core's cache holds: each of the steps below passes over all of them.
    rows = max(1, CACHED_PAIRS // max(1, len(right)))
    for first in range(0, len(left), rows):
        piece = pairs[first : first + rows].view(np.uint64)
        bits = np.bitwise_xor(left[first : first + rows, None], right[None, :], out=piece)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            bits ^= bits >> np.uint64(shift)
            bits *= np.uint64(factor)
        bits ^= bits >> np.uint64(31)
        bits >>= np.uint64(33)
    return pairs

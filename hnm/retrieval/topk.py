"""Exact top-k lists of documents per query, kept as packed keys.

A key is one int64: the score, as a signed integer, in the upper 32 bits, and `2**32 - 1 - ordinal` in the lower 32,
where the ordinal is the document's place in the order of ids. The larger key is the better candidate: the higher score
first, then the lower id. No two documents have the same key, so ties at the cut-off decide themselves, and selection
runs on plain integers.

`merge` is associative and commutative. So blocks of documents may come in any order and size, and a list can be
maintained when documents come and go: the keys of new documents are merged in, those of deleted ones are dropped, and
only a query whose full list lost a member has to be searched again.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

Keys = NDArray[np.int64]
"""Shape (queries, documents). A top-k list has its keys in descending order."""

Rows = NDArray[Any]
"""Whatever stands for queries or documents, one per row."""

Score = Callable[[Rows, Rows], NDArray[np.int64]]
"""From queries and documents to integers within int32 of shape (queries, documents); higher is better."""

LAST_ORDINAL = 2**32 - 1
QUERIES_AT_ONCE = 512  # by a block of 4,096 documents: 16 MB of scores per thread


def pack(scores: NDArray[np.int64], ordinals: NDArray[np.int64]) -> Keys:
    """Keys for `scores` (queries, documents), within int32, of documents with these `ordinals`. Overwrites `scores`."""
    scores <<= 32
    scores += LAST_ORDINAL - ordinals
    return scores


def ordinals(keys: Keys) -> NDArray[np.int64]:
    """The documents that `keys` stand for."""
    return LAST_ORDINAL - (keys & LAST_ORDINAL)


def scores(keys: Keys) -> NDArray[np.int64]:
    """The integer scores in `keys`."""
    return keys >> 32


def select(keys: Keys, k: int) -> Keys:
    """The `k` best keys of each row, best first; all of them when there are fewer. Reorders `keys`."""
    surplus = keys.shape[1] - k
    if surplus > 0:
        keys.partition(surplus, axis=1)
        keys = keys[:, surplus:]
    return np.sort(keys, axis=1)[:, ::-1]


def merge(left: Keys, right: Keys, k: int) -> Keys:
    """The top-k lists over the documents of both; `left` and `right` must have no document in common."""
    return select(np.concatenate((left, right), axis=1), k)


def search(
    queries: Rows,
    blocks: Iterable[tuple[NDArray[np.int64], Rows]],
    score: Score,
    k: int,
    threads: int = 1,
) -> Keys:
    """Top-k lists, shape (queries, min(k, documents)), over documents that come in `blocks` of (ordinals, documents).

    Documents are read once. Memory: one block of scores per thread, and k keys per query.
    """
    share = min(QUERIES_AT_ONCE, max(1, -(-len(queries) // threads)))
    parts = [queries[first : first + share] for first in range(0, len(queries), share)]
    best: list[Keys] = [np.empty((len(part), 0), np.int64) for part in parts]

    # BLAS with one thread each: threads over queries also spread the selection, and `threads` is kept to.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        for places, documents in blocks:
            best = list(pool.map(partial(_improved, score, documents, places, k), parts, best))
    return np.concatenate(best) if best else np.empty((0, 0), np.int64)


def _improved(score: Score, documents: Rows, places: NDArray[np.int64], k: int, queries: Rows, best: Keys) -> Keys:
    """The lists `best` of `queries` after one more block of documents."""
    return merge(best, select(pack(score(queries, documents), places), k), k)

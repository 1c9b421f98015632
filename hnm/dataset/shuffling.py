"""A random order that can be read from disk quickly."""

import numpy as np

from hnm.dataset.rows import Positions

BLOCK_ROWS = 16
"""Rows that stand side by side are read together. More of them are hardly faster, and mix worse."""


def shuffled(count: int, window: int, random: np.random.Generator) -> Positions:
    """A permutation of `range(count)`: blocks of `BLOCK_ROWS` in random order, then `window` rows at a time mixed.

    With `count <= window` all permutations are equally likely. Otherwise rows of one block come in the same window:
    reading a window reads its blocks, and not a part of every page of the file. Memory: 24 bytes per row while it is
    made.
    """
    blocks = random.permutation(-(-count // BLOCK_ROWS))
    order = (blocks[:, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)).ravel()
    order = order[order < count]  # the last block may be smaller
    for start in range(0, count, window):
        random.shuffle(order[start : start + window])
    return order

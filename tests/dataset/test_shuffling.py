"""A random order that is read in blocks."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hnm.dataset.shuffling import BLOCK_ROWS, shuffled


@given(count=st.integers(0, 500), window=st.integers(1, 600), seed=st.integers(0, 9))
def test_every_row_comes_once_and_the_seed_decides(count, window, seed):
    order = shuffled(count, window, np.random.default_rng(seed))
    assert sorted(order) == list(range(count))
    assert np.array_equal(order, shuffled(count, window, np.random.default_rng(seed)))


def test_a_window_is_read_from_few_blocks():
    window = 20 * BLOCK_ROWS
    order = shuffled(100 * window, window, np.random.default_rng(0))
    blocks = [set(part // BLOCK_ROWS) for part in order.reshape(-1, window)]
    assert {len(some) for some in blocks} <= {20, 21}
    assert sum(map(len, blocks)) == 100 * 20


def test_what_fits_into_a_window_comes_in_any_order_equally_often():
    random = np.random.default_rng(0)
    found = Counter(tuple(shuffled(4, 4, random)) for _ in range(2_400))
    assert len(found) == 24
    assert min(found.values()) > 60


def test_neighbours_are_far_apart_in_a_window():
    """Of two rows of one block, as a rule many rows stand between them: a batch of 32 has about one such pair."""
    window = 500 * BLOCK_ROWS
    order = shuffled(10 * window, window, np.random.default_rng(0))
    batches = (order // BLOCK_ROWS).reshape(-1, 32)
    pairs = [32 - len(set(batch)) for batch in batches]
    assert np.mean(pairs) < 1.5

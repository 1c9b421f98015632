"""Top-k lists: the order of keys, merging, and search by blocks, against plain sorting."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hnm.retrieval import topk

SCORES = st.lists(st.integers(-3, 3) | st.sampled_from([-(2**31), 2**31 - 1]), max_size=30)


def keys_of(scores: list[int], places: list[int]) -> NDArray[np.int64]:
    return topk.pack(np.array([scores], np.int64), np.array(places, np.int64))


def sorted_pairs(scores: list[int], k: int) -> list[tuple[int, int]]:
    """The oracle: (score, ordinal) by falling score, then rising ordinal."""
    return sorted(((score, place) for place, score in enumerate(scores)), key=lambda pair: (-pair[0], pair[1]))[:k]


def pairs(keys: NDArray[np.int64]) -> list[tuple[int, int]]:
    return list(zip(topk.scores(keys)[0].tolist(), topk.ordinals(keys)[0].tolist(), strict=True))


@given(SCORES, st.integers(1, 40))
def test_selection_is_sorting_by_score_then_ordinal(scores: list[int], k: int) -> None:
    assert pairs(topk.select(keys_of(scores, list(range(len(scores)))), k)) == sorted_pairs(scores, k)


@given(SCORES, st.integers(1, 10), st.data())
def test_merged_parts_equal_the_whole_in_any_order(scores: list[int], k: int, data: st.DataObject) -> None:
    places = data.draw(st.permutations(range(len(scores))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(scores)), max_size=4)))
    merged = np.empty((1, 0), np.int64)
    for first, last in pairwise([0, *cuts, len(scores)]):
        part = places[first:last]
        merged = topk.merge(merged, topk.select(keys_of([scores[place] for place in part], part), k), k)
    assert pairs(merged) == sorted_pairs(scores, k)


def test_the_last_of_the_possible_ordinals() -> None:
    keys = keys_of([0, 0, -1], [topk.LAST_ORDINAL, 0, 7])
    assert pairs(topk.select(keys, 3)) == [(0, 0), (0, topk.LAST_ORDINAL), (-1, 7)]


def products(queries: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.int64]:
    return queries @ documents.T


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("block", [1, 7, 100])
@pytest.mark.parametrize("queries", [0, 1, 5, 1100])
def test_search_is_independent_of_blocks_and_threads(queries: int, block: int, threads: int) -> None:
    random = np.random.default_rng(1)
    left, right = random.integers(-2, 3, (queries, 3)), random.integers(-2, 3, (40, 3))
    blocks = [(np.arange(first, min(first + block, 40)), right[first : first + block]) for first in range(0, 40, block)]
    found = topk.search(left, blocks, products, 10, threads)
    assert len(found) == queries
    for query, keys in zip(left, found, strict=True):
        assert pairs(keys[None, :]) == sorted_pairs((right @ query).tolist(), 10)


def test_search_without_documents_finds_nothing() -> None:
    assert topk.search(np.ones((3, 2), np.int64), [], products, 5).shape == (3, 0)

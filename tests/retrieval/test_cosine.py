"""Cosines on the grid: how far they are from float64, and that they stay within [-1, 1]."""

import numpy as np
import pytest

from hnm.retrieval.cosine import COMPONENT, UNIT, as_float, cosines, on_grid


@pytest.mark.parametrize("width", [1, 2, 256, 1024])
def test_error_is_that_of_one_rounding_to_float32(width: int) -> None:
    rows = np.random.default_rng(width).normal(size=(200, width)).astype(np.float32)
    grid, directed = on_grid(rows)
    assert directed.all()
    wide = rows.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    assert np.abs(as_float(cosines(grid, grid)) - wide @ wide.T).max() < 1e-7


def test_a_rounded_vector_is_never_more_than_equal_to_itself() -> None:
    grid, _ = on_grid(np.random.default_rng(0).normal(size=(20_000, 384)).astype(np.float32))
    lengths = np.square(grid).sum(axis=1) / COMPONENT**2
    longest = grid[[lengths.argmax()]]
    assert lengths.max() > 1 + 0.5 / UNIT
    assert cosines(longest, longest) == UNIT
    assert cosines(longest, -longest) == -UNIT


def test_extreme_lengths_and_zeros() -> None:
    grid, directed = on_grid(np.array([[3e38, -3e38], [1e-45, 0], [0, -0.0]], np.float32))
    assert directed.tolist() == [True, True, False]
    assert as_float(cosines(grid, grid))[1].tolist() == [pytest.approx(2**-0.5, abs=1e-7), 1.0, 0.0]

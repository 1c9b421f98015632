"""Streams cut anew: the same rows, in batches of one size."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from hnm.batches import of_size


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 7))
def test_the_rows_are_the_same_and_all_batches_but_the_last_are_full(lengths, size):
    numbers = iter(range(sum(lengths)))
    parts = [pa.record_batch({"n": pa.array([next(numbers) for _ in range(length)], pa.int64())}) for length in lengths]
    made = list(of_size(parts, size))
    assert [n for batch in made for n in batch["n"].to_pylist()] == list(range(sum(lengths)))
    assert all(batch.num_rows == size for batch in made[:-1])
    assert all(batch.num_rows <= size for batch in made[-1:])

"""Batches on their way from a worker, in memory that it shares with the reader."""

import multiprocessing
import pickle
from typing import Any

import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.dataset.handing_over import SLOT_BYTES, Handed, Slots, batches_of
from hnm.errors import QueryError


def batch(*texts: str) -> pa.RecordBatch:
    return pa.record_batch({"text": list(texts), "number": pa.array(range(len(texts)), pa.int64())})


def slots(workers: int = 2, count: int = 2) -> Slots:
    return Slots(multiprocessing.get_context("spawn"), workers, count)


def handed(sent: pa.RecordBatch, through: Slots, worker: int = 0, size: int = 10) -> bytes:
    return pickle.dumps(Handed(sent, size, through, worker))


def arrived(sent: bytes) -> list[dict[str, Any]]:
    return pickle.loads(sent)  # noqa: S301 # as torch does


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=300), min_size=1, max_size=20), st.integers(1, 21))
def test_rows_arrive_as_batches_of_columns(texts, size):
    through = slots()
    batches = arrived(handed(batch(*texts), through, size=size))
    assert [text for columns in batches for text in columns["text"]] == texts
    assert torch.equal(torch.cat([columns["number"] for columns in batches]), torch.arange(len(texts)))
    assert {len(columns["text"]) for columns in batches[:-1]} <= {size}
    assert 1 <= len(batches[-1]["text"]) <= size


def test_a_number_that_is_missing_is_named():
    rows = pa.record_batch({"text": ["a", None], "number": pa.array([1, None])})
    assert batches_of(rows.select(["text"]), 2) == [{"text": ["a", None]}]
    with pytest.raises(QueryError, match="column 'number' has no value in some rows"):
        batches_of(rows, 2)


def test_only_their_place_goes_through_the_pipe():
    through = slots()
    assert len(handed(batch("x" * 90_000), through)) < 200
    assert arrived(handed(batch("x" * 90_000), through)) == [{"text": ["x" * 90_000], "number": torch.tensor([0])}]


def test_a_slot_is_free_once_it_is_read():
    through = slots(workers=2, count=2)
    first, second, third = (handed(batch(text * 999), through) for text in "abc")
    of_other = handed(batch("d" * 999), through, worker=1)
    assert [len(sent) < 200 for sent in (first, second, third, of_other)] == [True, True, False, True]
    texts = [arrived(sent)[0]["text"][0] for sent in (third, second, of_other, first)]
    assert texts == ["c" * 999, "b" * 999, "d" * 999, "a" * 999]
    assert through.write(batch("e"), 0) is not None


def test_what_is_too_large_for_a_slot_goes_through_the_pipe():
    through = slots()
    large = batch("x" * SLOT_BYTES)
    assert through.write(large, 0) is None
    (columns,) = arrived(handed(large, through))
    assert columns["text"] == ["x" * SLOT_BYTES]
    assert through.write(batch("small"), 0) is not None


def test_a_part_of_rows_becomes_batches_of_its_own_rows():
    (columns,) = batches_of(batch("a", "b").slice(1), 10)
    assert columns == {"text": ["b"], "number": torch.tensor([1])}

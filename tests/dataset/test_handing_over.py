"""Batches on their way from a worker, in memory that it shares with the reader."""

import multiprocessing
import pickle
from typing import Any

import pyarrow as pa
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.dataset.handing_over import HEAD_BYTES, Handed, Slots, columns_of


def batch(*texts: str) -> pa.RecordBatch:
    return pa.record_batch({"text": list(texts), "number": pa.array(range(len(texts)), pa.int64())})


def slots(workers: int = 2, count: int = 2, size: int = 256) -> Slots:
    return Slots(multiprocessing.get_context("spawn"), workers, count, size)


def handed(sent: pa.RecordBatch, through: Slots | None, worker: int = 0) -> bytes:
    return pickle.dumps(Handed(sent, through, worker))


def arrived(sent: bytes) -> dict[str, Any]:
    return pickle.loads(sent)  # noqa: S301 # as torch does


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=300), min_size=1, max_size=20), st.booleans())
def test_a_batch_arrives_as_columns(texts, shared):
    through = slots(size=2_000) if shared else None
    columns = arrived(handed(batch(*texts), through))
    assert columns["text"] == texts
    assert torch.equal(columns["number"], torch.arange(len(texts)))


def test_only_the_place_of_a_batch_goes_through_the_pipe():
    through = slots(size=100_000)
    assert len(handed(batch("x" * 90_000), through)) < 200
    assert len(handed(batch("x" * 90_000), None)) > 90_000


def test_a_slot_is_free_once_it_is_read():
    through = slots(workers=2, count=2)
    first, second, third = (handed(batch(text), through) for text in ("a" * 99, "b" * 99, "c" * 99))
    of_other = handed(batch("d" * 99), through, worker=1)
    assert [len(sent) < 200 for sent in (first, second, third, of_other)] == [True, True, False, True]
    assert [arrived(sent)["text"][0][0] for sent in (third, second, of_other, first)] == ["c", "b", "d", "a"]
    assert through.write(batch("e"), 0) is not None


def test_what_is_too_large_for_a_slot_goes_through_the_pipe():
    through = slots(size=256)
    large = batch("x" * (256 + HEAD_BYTES))
    assert through.write(large, 0) is None
    assert arrived(handed(large, through)) == {"text": large["text"].to_pylist(), "number": torch.tensor([0])}
    assert through.write(batch("small"), 0) is not None


def test_columns_are_lists_of_texts_and_tensors():
    columns = columns_of(batch("a", "b").slice(1))
    assert columns["text"] == ["b"]
    assert torch.equal(columns["number"], torch.tensor([1]))

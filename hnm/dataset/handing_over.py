"""Hand batches from worker processes to the one that reads them through memory that all of them see.

What a `DataLoader`'s worker returns goes pickled through a pipe, which holds 64 KB and takes longer than reading the
rows. So rows are written, some batches at a time, where the reader finds them, and only their place goes through it.
"""

from multiprocessing.context import BaseContext
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

import numpy as np
import pyarrow as pa
from torch.utils.data import default_collate

from hnm.errors import QueryError

SLOT_BYTES = 4 * 2**20


class Slots:
    """Room in shared memory for rows of `slots` hand-overs from each of `workers`, `SLOT_BYTES` for each.

    A slot is full from when a worker has written it until it is read. A worker never waits: rows go through the pipe
    where no slot is free or they are too many for one.
    """

    def __init__(self, context: BaseContext, workers: int, slots: int) -> None:
        self.slots = slots
        self.key = uuid4().hex
        self._memory = context.RawArray("B", workers * slots * SLOT_BYTES)
        self._full = context.RawArray("B", workers * slots)
        _HERE[self.key] = self

    def write(self, rows: pa.RecordBatch, worker: int) -> tuple[int, int] | None:
        """Put rows into a slot of this worker: which one, and how many bytes they took; None where none will do."""
        own = range(worker * self.slots, (worker + 1) * self.slots)
        free = [slot for slot in own if not self._full[slot]]
        if not free:
            return None
        sink = pa.FixedSizeBufferWriter(self._slot(free[0]))
        try:
            _write(rows, sink)
        except OSError:  # they reach beyond the slot
            return None
        self._full[free[0]] = 1
        return free[0], sink.tell()

    def read(self, slot: int, count: int) -> pa.RecordBatch:
        """The rows in this slot, as long as it is not `free`d."""
        return _read(self._slot(slot).slice(0, count))

    def free(self, slot: int) -> None:
        """What was read from the slot may be overwritten."""
        self._full[slot] = 0

    def _slot(self, slot: int) -> pa.Buffer:
        return pa.py_buffer(np.frombuffer(self._memory, np.uint8, SLOT_BYTES, slot * SLOT_BYTES))


_HERE: WeakValueDictionary[str, Slots] = WeakValueDictionary()
"""Those that this process made and reads from."""


class Handed:
    """Rows in a worker; where they arrive, they are a list of batches, see `batches_of`."""

    def __init__(self, rows: pa.RecordBatch, size: int, slots: Slots, worker: int) -> None:
        self.rows = rows
        self.size = size
        self.slots = slots
        self.worker = worker

    def __reduce__(self) -> tuple[Any, ...]:
        if placed := self.slots.write(self.rows, self.worker):
            return _from_slot, (self.size, self.slots.key, *placed)
        sink = pa.BufferOutputStream()
        _write(self.rows, sink)
        return _from_pipe, (self.size, sink.getvalue().to_pybytes())


def batches_of(rows: pa.RecordBatch, size: int) -> list[dict[str, Any]]:
    """Batches of `size` rows, the last one maybe smaller, each a dictionary of columns as `default_collate` makes them
    of rows: tensors of numbers, lists of texts."""
    return [_columns(rows.slice(start, size)) for start in range(0, rows.num_rows, size)]


def _columns(batch: pa.RecordBatch) -> dict[str, Any]:
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return {name: _collated(name, column) for name, column in columns}


def _collated(name: str, column: pa.Array) -> Any:
    """As `default_collate` makes it of the values. Raises QueryError for a missing number: a tensor cannot lack one."""
    values = column.to_pylist()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return values
    if column.null_count:
        raise QueryError(
            f"column {name!r} has no value in some rows, and a tensor has to",
            hint="name the columns that you need, select rows that have it by `where`, or give a `collate_fn`",
        )
    return default_collate(values)


def _from_slot(size: int, key: str, slot: int, count: int) -> list[dict[str, Any]]:
    slots = _HERE[key]
    batches = batches_of(slots.read(slot, count), size)
    slots.free(slot)
    return batches


def _from_pipe(size: int, stream: bytes) -> list[dict[str, Any]]:
    return batches_of(_read(stream), size)


def _write(rows: pa.RecordBatch, sink: Any) -> None:
    """The rows of a slice alone: a pickle would take all that it is cut from."""
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_batch(rows)


def _read(stream: Any) -> pa.RecordBatch:
    return pa.ipc.open_stream(stream).read_next_batch()

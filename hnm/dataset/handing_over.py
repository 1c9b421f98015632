"""Hand batches from worker processes to the one that reads them through memory that all of them see.

What a `DataLoader`'s worker returns goes pickled through a pipe, which holds 64 KB and takes longer than reading the
rows. So only the place of a batch goes through the pipe; the batch itself is written where the reader finds it.
"""

from multiprocessing.context import BaseContext
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

import numpy as np
import pyarrow as pa
from torch.utils.data import default_collate

MOST_SLOT_BYTES = 4 * 2**20
HEAD_BYTES = 16_384
"""What Arrow writes beside the rows: the schema, and how it ends."""


class Slots:
    """Room for `slots` batches of `slot_bytes` from each of `workers`, which it takes in shared memory.

    A slot is full from when a worker has written it until it is read. A worker never waits: a batch goes through the
    pipe where no slot is free or it is too large for one. Memory: the product of the three, 4 MB per slot at most.
    """

    def __init__(self, context: BaseContext, workers: int, slots: int, slot_bytes: int) -> None:
        self.shape = (workers, slots, min(slot_bytes, MOST_SLOT_BYTES) + HEAD_BYTES)
        self.key = uuid4().hex
        self._memory = context.RawArray("B", int(np.prod(self.shape)))
        self._full = context.RawArray("B", workers * slots)
        _HERE[self.key] = self

    def write(self, batch: pa.RecordBatch, worker: int) -> tuple[int, int] | None:
        """Put a batch into a slot of this worker: which one, and how many bytes it took; None where none will do."""
        slots = self.shape[1]
        free = [slot for slot in range(worker * slots, (worker + 1) * slots) if not self._full[slot]]
        if not free:
            return None
        sink = pa.FixedSizeBufferWriter(self._slot(free[0]))
        try:
            _write(batch, sink)
        except OSError:  # it reaches beyond the slot
            return None
        self._full[free[0]] = 1
        return free[0], sink.tell()

    def read(self, slot: int, count: int) -> dict[str, Any]:
        """The columns of the batch in this slot, which is free then."""
        columns = _read(self._slot(slot).slice(0, count))
        self._full[slot] = 0
        return columns

    def _slot(self, slot: int) -> pa.Buffer:
        size = self.shape[-1]
        return pa.py_buffer(np.frombuffer(self._memory, np.uint8, size, slot * size))


_HERE: WeakValueDictionary[str, Slots] = WeakValueDictionary()
"""Those that this process made and reads from."""


class Handed:
    """A batch in a worker; where it arrives, it is a dictionary of its columns."""

    def __init__(self, batch: pa.RecordBatch, slots: Slots | None, worker: int) -> None:
        self.batch = batch
        self.slots = slots
        self.worker = worker

    def __reduce__(self) -> tuple[Any, ...]:
        if self.slots and (placed := self.slots.write(self.batch, self.worker)):
            return _from_slot, (self.slots.key, *placed)
        sink = pa.BufferOutputStream()
        _write(self.batch, sink)
        return _read, (sink.getvalue().to_pybytes(),)


def columns_of(batch: pa.RecordBatch) -> dict[str, Any]:
    """The columns as `default_collate` makes them of rows: tensors of numbers, lists of texts."""
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return {name: default_collate(column.to_pylist()) for name, column in columns}


def _from_slot(key: str, slot: int, count: int) -> dict[str, Any]:
    return _HERE[key].read(slot, count)


def _write(batch: pa.RecordBatch, sink: Any) -> None:
    """The rows of a slice alone: a pickle would take all that it is cut from."""
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)


def _read(stream: Any) -> dict[str, Any]:
    return columns_of(pa.ipc.open_stream(stream).read_next_batch())

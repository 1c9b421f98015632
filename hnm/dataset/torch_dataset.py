"""A stream of rows for torch, read from Lance by as many worker processes as one likes."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.utils.data import DataLoader, IterableDataset, default_collate, get_worker_info

from hnm.batches import of_size
from hnm.dataset.ahead import ahead
from hnm.dataset.find import DatasetVersion
from hnm.dataset.rows import Positions, Rows
from hnm.errors import HnmError

CHUNK_ROWS = 262_144
SHUFFLED_BYTES = 256 * 2**20
"""Four times as much as elsewhere: in a shuffled order, the fewer rows are read at once, the fewer share a page of the
file. Workers share it, so that more of them do not take more memory."""
LEAST_BYTES = 32 * 2**20
OBJECTS_AT_ONCE = 1_024


class TorchDataset(IterableDataset[dict[str, Any]]):
    """Rows as dictionaries, each exactly once over all workers of a `DataLoader`.

    With `shuffle`, the order is a permutation of all rows that `seed` and the epoch (`set_epoch`) alone decide, else
    that of the ids. The order over several workers is theirs in turn, `chunk_rows` at a time at most, and the same
    every time for their number.

    Memory: 8 bytes per row for all processes together, and two batches of about 64 MB in each; with `shuffle`, 16 bytes
    per row more in each, and batches of about 256 MB, divided by the number of workers down to 32 MB. Each worker opens
    the Lance table for itself, so they must be spawned: Lance's threads do not survive a fork. `loader` sees to that; a
    forked worker raises HnmError.
    """

    def __init__(
        self, version: DatasetVersion, columns: Sequence[str], positions: Positions, shuffle: bool, seed: int
    ) -> None:
        self.version = version
        self.columns = list(columns)
        self.shuffle = shuffle
        self.seed = seed
        self.chunk_rows = CHUNK_ROWS
        self._positions = _shared(torch.from_numpy(positions))
        self._epoch = _shared(torch.zeros((), dtype=torch.int64))  # workers that stay alive see it change
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self._positions)

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the next iteration: another one gives another order."""
        self._epoch.fill_(epoch)

    def loader(self, batch_size: int = 1, workers: int = 0, **options: Any) -> "DataLoader[dict[str, Any]]":
        """A `DataLoader` whose workers are spawned. A script that calls it needs `if __name__ == "__main__":`.

        `options` are those of `DataLoader`. Its own collation is done a column at a time, without making the rows; with
        a `collate_fn`, rows are made and handed to it.
        """
        if workers:
            options = {"multiprocessing_context": "spawn"} | options
        if options.get("collate_fn") or batch_size is None:
            return DataLoader(self, batch_size=batch_size, num_workers=workers, **options)
        batches = TorchBatches(self, batch_size, workers, options.pop("drop_last", False))
        return DataLoader(batches, batch_size=None, num_workers=workers, **options | {"collate_fn": _as_it_is})

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for part in self.record_batches():
            yield from part.to_pylist()

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        """This worker's rows, `OBJECTS_AT_ONCE` at most in each batch."""
        if os.getpid() != self._process:
            raise HnmError(
                "a forked process cannot read Lance: its threads do not survive a fork",
                hint="use `.loader(workers=N)`, or DataLoader(..., multiprocessing_context='spawn')",
            )
        worker = get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        order = self._order()
        chunks = (order[chunk] for chunk in self.chunks(number, count))
        batch_bytes = max(SHUFFLED_BYTES // count, LEAST_BYTES) if self.shuffle else None
        for batch, places in ahead(self._batches(chunks, batch_bytes)):
            yield from _parts(batch, places)

    def chunks(self, number: int, count: int) -> Iterator[slice]:
        """Which rows, counted in the order of the iteration, the worker of this number has among so many."""
        rows = len(self)
        size = max(1, min(self.chunk_rows, -(-rows // count)))
        for start in range(number * size, rows, count * size):
            yield slice(start, min(start + size, rows))

    def _batches(
        self, chunks: Iterable[Positions], batch_bytes: int | None
    ) -> Iterator[tuple[pa.RecordBatch, Positions | None]]:
        rows = Rows(self.version.open(), self.version.stage, batch_bytes, CHUNK_ROWS)
        for chunk in chunks:
            for part in rows.slices(np.ones(len(chunk), np.int64)):
                yield rows.take_unordered(chunk[part], self.columns)

    def _order(self) -> Positions:
        positions: Positions = self._positions.numpy()
        if not self.shuffle:
            return positions
        return positions[np.random.default_rng([self.seed, int(self._epoch)]).permutation(len(positions))]

    def __getstate__(self) -> dict[str, Any]:
        """Without the process: a copy that was pickled belongs to the process that unpickles it."""
        return {name: value for name, value in self.__dict__.items() if name != "_process"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _process=os.getpid())


class TorchBatches(IterableDataset[Any]):
    """The rows of a `TorchDataset` in batches of `size`, each a dictionary of columns as `default_collate` makes them.

    Each of the `workers` makes batches of its own rows, so that the last one of each may be smaller; `drop_last` leaves
    those out.
    """

    def __init__(self, rows: TorchDataset, size: int, workers: int, drop_last: bool) -> None:
        if size < 1:
            raise ValueError(f"batch_size is {size}: at least 1")
        self.rows = rows
        self.size = size
        self.workers = workers
        self.drop_last = drop_last

    def __len__(self) -> int:
        count = max(1, self.workers)
        of_worker = [sum(part.stop - part.start for part in self.rows.chunks(number, count)) for number in range(count)]
        return sum(rows // self.size if self.drop_last else -(-rows // self.size) for rows in of_worker)

    def __iter__(self) -> Iterator["dict[str, Any] | _OnItsWay"]:
        make = _columns if get_worker_info() is None else _OnItsWay
        for batch in of_size(self.rows.record_batches(), self.size):
            if batch.num_rows == self.size or not self.drop_last:
                yield make(batch)


class _OnItsWay:
    """A batch that a worker hands over: as Arrow, which costs a copy, and not as objects, which cost a pickle of each.
    Where it arrives, it is the dictionary."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch

    def __reduce__(self) -> tuple[Any, ...]:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.batch.schema) as stream:
            # The rows of a slice alone: its own pickle would take all that it is cut from.
            stream.write_batch(self.batch)
        return _arrived, (sink.getvalue().to_pybytes(),)


def _arrived(stream: bytes) -> dict[str, Any]:
    return _columns(pa.ipc.open_stream(stream).read_next_batch())


def _columns(batch: pa.RecordBatch) -> dict[str, Any]:
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return {name: default_collate(column.to_pylist()) for name, column in columns}


def _as_it_is(batch: dict[str, Any]) -> dict[str, Any]:
    """Instead of torch's own conversion, which would look at every text again."""
    return batch


def _parts(batch: pa.RecordBatch, places: Positions | None) -> Iterator[pa.RecordBatch]:
    """The rows in the order of `places`, some at a time: as objects they take several times the memory, and a copy of
    the batch in another order would take as much again."""
    count = batch.num_rows if places is None else len(places)
    for start in range(0, count, OBJECTS_AT_ONCE):
        if places is None:
            yield batch.slice(start, OBJECTS_AT_ONCE)
        else:
            yield batch.take(pa.array(places[start : start + OBJECTS_AT_ONCE]))


def _shared(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, moved to memory that other processes see too."""
    tensor.share_memory_()  # type: ignore[no-untyped-call] # torch gives it no types
    return tensor

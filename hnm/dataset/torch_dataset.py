"""A stream of rows for torch, read from Lance by as many worker processes as one likes."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from hnm.batches import of_size
from hnm.dataset.ahead import ahead
from hnm.dataset.find import DatasetVersion
from hnm.dataset.handing_over import SLOT_BYTES, Handed, Slots, batches_of
from hnm.dataset.rows import FIRST_ROWS, Positions, Rows
from hnm.dataset.shuffling import shuffled
from hnm.errors import HnmError

CHUNK_ROWS = 262_144
WINDOW_BYTES = 128 * 2**20
"""What is mixed at once. Workers share it, so that more of them do not take more memory."""
LEAST_BYTES = 32 * 2**20
OBJECTS_AT_ONCE = 1_024


class TorchDataset(IterableDataset[dict[str, Any]]):
    """Rows as dictionaries, each exactly once over all workers of a `DataLoader`.

    Rows come in the order of the ids; with `shuffle`, in a permutation of all rows that `seed`, the epoch (`set_epoch`)
    and the number of workers alone decide (`hnm.dataset.shuffling`): rows of about 128 MB in all are mixed at once,
    divided by the number of workers down to 32 MB. Workers take turns, some batches at a time.

    Memory: 8 bytes per row for all processes together, and two batches of about 64 MB in each; with `shuffle`, 24 bytes
    per row more in each, and two batches of what is mixed at once. Each worker opens the Lance table for itself, so
    they must be spawned: Lance's threads do not survive a fork. `loader` sees to that; a forked worker raises HnmError.
    """

    def __init__(
        self, version: DatasetVersion, columns: Sequence[str], positions: Positions, shuffle: bool, seed: int
    ) -> None:
        self.version = version
        self.columns = list(columns)
        self.shuffle = shuffle
        self.seed = seed
        self.chunk_rows = CHUNK_ROWS
        self.row_bytes: int = self._mean_width(positions)
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
        options["collate_fn"] = _as_it_is
        return (BatchLoader if workers else DataLoader)(batches, batch_size=None, num_workers=workers, **options)

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
        order = self._order(count)
        chunks = (order[chunk] for chunk in self.chunks(number, count))
        for batch, places in ahead(self._batches(chunks, count)):
            yield from _parts(batch, places)

    def chunks(self, number: int, count: int) -> Iterator[slice]:
        """Which rows, counted in the order of the iteration, the worker of this number has among so many."""
        rows = len(self)
        most = min(self.chunk_rows, self._window(count)) if self.shuffle else self.chunk_rows
        size = max(1, min(most, -(-rows // count)))
        for start in range(number * size, rows, count * size):
            yield slice(start, min(start + size, rows))

    def _batches(self, chunks: Iterable[Positions], count: int) -> Iterator[tuple[pa.RecordBatch, Positions | None]]:
        dataset, stage = self.version.open(), self.version.stage
        if self.shuffle:  # a window in one read; it has a little more or less than its rows have at the mean
            rows = Rows(dataset, stage, self._window_bytes(count) * 5 // 4, CHUNK_ROWS, self._window(count))
        else:
            rows = Rows(dataset, stage, most_rows=CHUNK_ROWS)
        for chunk in chunks:
            for part in rows.slices(np.ones(len(chunk), np.int64)):
                yield rows.take_unordered(chunk[part], self.columns)

    def _order(self, count: int) -> Positions:
        positions: Positions = self._positions.numpy()
        if not self.shuffle:
            return positions
        random = np.random.default_rng([self.seed, int(self._epoch)])
        return positions[shuffled(len(positions), self._window(count), random)]

    def _window(self, count: int) -> int:
        """How many rows one of `count` workers mixes at once."""
        return max(1, self._window_bytes(count) // self.row_bytes)

    def _window_bytes(self, count: int) -> int:
        return max(WINDOW_BYTES // count, LEAST_BYTES)

    def _mean_width(self, positions: Positions) -> int:
        """Bytes of a row as Arrow holds it, at the mean of some over the whole length: the same for the same content,
        however it is stored."""
        some = positions[:: max(1, len(positions) // FIRST_ROWS)]
        batch = Rows(self.version.open(), self.version.stage).take(some, self.columns)
        alike = batch.take(pa.array(np.arange(len(some))))  # without what reading left in its buffers
        return max(1, int(alike.nbytes) // max(len(some), 1))

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
        self.slots: Slots | None = None

    def __len__(self) -> int:
        count = max(1, self.workers)
        of_worker = [sum(part.stop - part.start for part in self.rows.chunks(number, count)) for number in range(count)]
        return sum(rows // self.size if self.drop_last else -(-rows // self.size) for rows in of_worker)

    def __iter__(self) -> Iterator[dict[str, Any] | Handed]:
        worker = get_worker_info()
        together = self.size * self._batches_together() if self.slots else self.size
        for rows in of_size(self.rows.record_batches(), together):
            whole = rows.slice(0, rows.num_rows - rows.num_rows % self.size) if self.drop_last else rows
            if not whole.num_rows:
                continue
            if worker and self.slots:
                yield Handed(whole, self.size, self.slots, worker.id)
            else:
                yield from batches_of(whole, self.size)

    def _batches_together(self) -> int:
        """How many are handed over at once: that takes longer than reading a small one."""
        return max(1, SLOT_BYTES // (2 * self.size * self.rows.row_bytes))


class BatchLoader(DataLoader[Any]):
    """A `DataLoader` of `TorchBatches` whose workers hand them over in memory that they share with it."""

    dataset: TorchBatches

    def __iter__(self) -> Any:
        """Each set of workers has slots of its own: two iterations may go on at the same time."""
        ahead_of_reading = self.prefetch_factor or 2
        self.dataset.slots = slots = Slots(self.multiprocessing_context, self.num_workers, ahead_of_reading + 1)
        try:
            iterator = super().__iter__()
        finally:
            self.dataset.slots = None  # they are for workers that are started, and for nobody else
        if not hasattr(iterator, "slots"):  # workers that stay alive keep those that they were started with
            iterator.slots = slots  # type: ignore[attr-defined] # so that they live as long as their workers
        return chain.from_iterable(iterator)


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

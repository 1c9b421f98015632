"""A stream of rows for torch, read from Lance by as many worker processes as one likes."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from hnm.dataset.ahead import ahead
from hnm.dataset.find import DatasetVersion
from hnm.dataset.rows import Positions, Rows
from hnm.errors import HnmError

CHUNK_ROWS = 65_536
BATCH_BYTES = 128 * 2**20
"""Twice as much as elsewhere: in a shuffled order, what shares a page of the file is seldom read at once. Workers share
it, so that more of them do not take more memory."""
LEAST_BATCH_BYTES = 32 * 2**20
OBJECTS_AT_ONCE = 1_024


class TorchDataset(IterableDataset[dict[str, Any]]):
    """Rows as dictionaries, each exactly once over all workers of a `DataLoader`.

    With `shuffle`, the order is a permutation of all rows that `seed` and the epoch (`set_epoch`) alone decide, else
    that of the ids. The order over several workers is theirs in turn, `chunk_rows` at a time at most, and the same
    every time for their number.

    Memory: 8 bytes per row for all processes together, and in each 16 more with `shuffle`, and two batches of about
    128 MB, divided by the number of workers down to 32 MB. Each worker opens the Lance table for itself, so they must
    be spawned: Lance's threads do not survive a fork. `loader` sees to that; a forked worker raises HnmError.
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
        """A `DataLoader` whose workers are spawned. A script that calls it needs `if __name__ == "__main__":`."""
        if workers:
            options = {"multiprocessing_context": "spawn"} | options
        return DataLoader(self, batch_size=batch_size, num_workers=workers, **options)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if os.getpid() != self._process:
            raise HnmError(
                "a forked process cannot read Lance: its threads do not survive a fork",
                hint="use `.loader(workers=N)`, or DataLoader(..., multiprocessing_context='spawn')",
            )
        worker = get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        order = self._order()
        size = max(1, min(self.chunk_rows, -(-len(order) // count)))
        chunks = (order[start : start + size] for start in range(number * size, len(order), count * size))
        for batch, places in ahead(self._batches(chunks, max(BATCH_BYTES // count, LEAST_BATCH_BYTES))):
            for part in _parts(batch, places):
                yield from part.to_pylist()

    def _batches(
        self, chunks: Iterable[Positions], batch_bytes: int
    ) -> Iterator[tuple[pa.RecordBatch, Positions | None]]:
        rows = Rows(self.version.open(), self.version.stage, batch_bytes)
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

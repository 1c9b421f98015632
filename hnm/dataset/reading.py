"""A version of a dataset in Python: as Arrow, Polars, a stream for torch, or a `datasets.Dataset`."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.context import Settings
from hnm.dataset.examples import Examples, examples_of, positions
from hnm.dataset.find import DatasetVersion
from hnm.dataset.rows import Positions
from hnm.dataset.selection import Selection
from hnm.errors import QueryError, nearest
from hnm.writers._aside import aside

if TYPE_CHECKING:
    import datasets
    import polars as pl
    import pyarrow as pa

    from hnm.dataset.torch_dataset import TorchDataset


@dataclass(frozen=True)
class Dataset:
    """The rows of one version that a selection keeps, always in the order of their ids: however they are stored, the
    same content gives the same rows in the same order.

    `cache`: where `huggingface` writes. Reading raises WarehouseError when files are damaged or gone, and QueryError
    for a column that is not there or a selection that makes no sense.
    """

    version: DatasetVersion
    selection: Selection
    settings: Settings
    cache: Path

    @cached_property
    def schema(self) -> "pa.Schema":
        """Names and Arrow types of all columns."""
        return self.version.open().schema

    @cached_property
    def positions(self) -> Positions:
        """Where the rows stand in the Lance table, in the order of the ids. Memory: 8 bytes per row."""
        import numpy as np

        with self._examples() as examples:
            found = [
                positions(batch, "position")
                for batch in examples.stream("select position from examples order by place")
            ]
        return np.concatenate([np.empty(0, np.int64), *found])

    def __len__(self) -> int:
        return self.version.row_count if self.selection.is_everything else len(self.positions)

    def reader(self, columns: Sequence[str] | None = None) -> "pa.RecordBatchReader":
        """The rows as a stream of batches of 16 to 64 MB: no more than some of these are in memory."""
        import pyarrow as pa

        names = self._names(columns)

        def batches() -> Iterator[pa.RecordBatch]:
            with self._examples() as examples:
                yield from examples.read(names)

        return pa.RecordBatchReader.from_batches(pa.schema([self.schema.field(name) for name in names]), batches())

    def arrow(self, columns: Sequence[str] | None = None) -> "pa.Table":
        """All rows in memory."""
        return self.reader(columns).read_all()

    def polars(self, columns: Sequence[str] | None = None) -> "pl.DataFrame":
        """All rows in memory, as a Polars frame."""
        import polars as pl

        return pl.DataFrame(self.arrow(columns))

    def torch(self, columns: Sequence[str] | None = None, shuffle: bool = False, seed: int = 0) -> "TorchDataset":
        """A stream for `torch.utils.data.DataLoader`; see `hnm.dataset.torch_dataset.TorchDataset`."""
        from hnm.dataset.torch_dataset import TorchDataset

        return TorchDataset(self.version, self._names(columns), self.positions, shuffle, seed)

    def huggingface(self, columns: Sequence[str] | None = None) -> "datasets.Dataset":
        """A `datasets.Dataset` over an Arrow file that is mapped, not loaded; it is written once, below target/."""
        import datasets
        import pyarrow as pa

        names = self._names(columns)
        path = self.cache / f"{self.version.stage}-{self._digest(names)}.arrow"
        if not path.exists():
            rows = self.reader(names)
            with aside(path) as written, pa.ipc.new_stream(written, rows.schema) as stream:
                for batch in rows:
                    stream.write_batch(batch)
        return datasets.Dataset.from_file(str(path))

    def _digest(self, names: Sequence[str]) -> str:
        """Another one for other rows or columns."""
        selection = [self.selection.strategies, self.selection.splits, self.selection.where]
        told = json.dumps([self.version.data_version, *selection, list(names)])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def _examples(self) -> AbstractContextManager[Examples]:
        return examples_of(self.version.open(), self.version.stage, self.selection, self.settings)

    def _names(self, columns: Sequence[str] | None) -> list[str]:
        known: list[str] = self.schema.names
        for name in columns or ():
            if name not in known:
                hint = nearest(name, known) or f"it has {', '.join(known)}"
                raise QueryError(f"{self.version.name} has no column {name!r}", hint=hint)
        return list(columns) if columns is not None else known

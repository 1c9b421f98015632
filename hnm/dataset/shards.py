"""Files of one export: an equal number of rows in each, numbered."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from hnm.context import Reporter
from hnm.dataset.files import Kind, Writer
from hnm.writers._names import file_name


@dataclass
class Shards:
    """Consecutive files `NAME-00000-of-00003.SUFFIX` in `folder`; at most `per_shard` rows in each.

    `rows`: how many there will be in all, which the names say.
    """

    folder: Path
    name: str
    kind: Kind
    rows: int
    per_shard: int
    _writer: Writer | None = None
    _index: int = 0
    _left: int = 0

    @property
    def count(self) -> int:
        return max(1, -(-self.rows // self.per_shard))

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the rows, in as many files as it takes."""
        while batch.num_rows:
            writer = self._open(batch.schema)
            part = batch.slice(0, self._left)
            writer.write(part)
            self._left -= part.num_rows
            batch = batch.slice(part.num_rows)
            if not self._left:
                self.close()

    def _open(self, schema: pa.Schema) -> Writer:
        if self._writer is None:
            path = self.folder / f"{self.name}-{self._index:05}-of-{self.count:05}.{self.kind.suffix}"
            self.folder.mkdir(exist_ok=True)
            self._writer, self._left = self.kind(path, schema), self.per_shard
            self._index += 1
        return self._writer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@dataclass(frozen=True)
class Output:
    """Where an export goes, how it is cut, and where progress is shown."""

    folder: Path
    rows_per_shard: int
    reporter: Reporter

    @contextmanager
    def shards(self, split: str, kind: Kind, rows: int, prefix: str = "", inside: str = ".") -> Iterator[Shards]:
        """Files for so many rows of a split, in the folder `inside`, closed at the end of the block.

        Raises HnmError for a split that cannot be the name of a file.
        """
        shards = Shards(self.folder / inside, prefix + file_name(split), kind, rows, self.rows_per_shard)
        try:
            yield shards
        finally:
            shards.close()

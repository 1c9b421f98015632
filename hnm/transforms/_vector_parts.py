"""Vectors kept on disk while a stage runs, in part files that survive a kill: the next run finds and reuses them.

A part is written under a temporary name and then renamed, so that what carries a part's name is whole; checksums of its
pages tell when a disk has damaged it all the same.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.context import Context
from hnm.sqltext import literal

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

WRITE_EVERY_SECONDS = 20.0
ROWS_PER_PART = 65_536
_TEMPORARY = ".writing"


class VectorParts:
    """Part files in one folder: at most one vector for each key (text_hash, side)."""

    def __init__(self, folder: Path, width: int, context: Context) -> None:
        """Take over the parts that are there and fit; those that are broken or of another width go, with a note."""
        self.width = width
        self._folder = folder
        self._files: list[Path] = []
        self.rows = 0
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            rows = self._rows_of(path)
            if rows is None:
                context.note(f"ignoring {path.name}, left by an earlier run: it is incomplete or damaged")
                path.unlink()
            else:
                self._files.append(path)
                self.rows += rows

    def relation(self) -> str:
        """SQL text of a relation (text_hash, side, vector) of all rows in the parts written so far."""
        columns = f"text_hash, side, vector::FLOAT[{self.width}] as vector"
        if not self._files:
            return f"(select '' as text_hash, 0 as side, null::FLOAT[{self.width}] as vector where false)"
        listed = ", ".join(literal(str(path)) for path in self._files)
        return f"(select {columns} from read_parquet([{listed}]))"

    @contextmanager
    def writer(self) -> Iterator["PartWriter"]:
        """Collects rows and writes them as parts from time to time; the rest at the end, also after an error."""
        writer = PartWriter(self)
        try:
            yield writer
        finally:
            writer.flush()

    def write(self, table: "pa.Table") -> None:
        """One more part file."""
        import pyarrow.parquet as pq

        number = int(self._files[-1].stem) + 1 if self._files else 0
        path = self._folder / f"{number:06d}.parquet"
        temporary = path.with_suffix(_TEMPORARY)
        pq.write_table(table, temporary, compression="none", use_dictionary=False, write_page_checksum=True)
        temporary.replace(path)
        self._files.append(path)
        self.rows += table.num_rows

    def schema(self) -> "pa.Schema":
        import pyarrow as pa

        vector = pa.list_(pa.float32(), self.width)
        return pa.schema([("text_hash", pa.string()), ("side", pa.int8()), ("vector", vector)])

    def _rows_of(self, path: Path) -> int | None:
        """How many rows a part has, after reading all of it; None when it is not a whole part of this width."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if path.suffix == _TEMPORARY:
            return None
        try:
            table = pq.read_table(path, page_checksum_verification=True)
        except (OSError, pa.ArrowInvalid):
            return None
        return table.num_rows if table.schema.equals(self.schema()) else None


class PartWriter:
    """Rows on their way into parts."""

    def __init__(self, parts: VectorParts) -> None:
        self._parts = parts
        self._waiting: list[pa.RecordBatch] = []
        self._since = time.monotonic()

    def add(self, text_hashes: list[str], side: int, vectors: "NDArray[np.float32]") -> None:
        """Take over rows of one side; `vectors` has shape (rows, width)."""
        import pyarrow as pa

        from hnm.models.vectors import to_column

        columns = [pa.array(text_hashes, pa.string()), pa.repeat(pa.scalar(side, pa.int8()), len(text_hashes))]
        self._waiting.append(pa.record_batch([*columns, to_column(vectors)], names=self._parts.schema().names))
        late = time.monotonic() - self._since >= WRITE_EVERY_SECONDS
        if late or sum(batch.num_rows for batch in self._waiting) >= ROWS_PER_PART:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait as one part."""
        import pyarrow as pa

        if self._waiting:
            self._parts.write(pa.Table.from_batches(self._waiting, self._parts.schema()))
        self._waiting = []
        self._since = time.monotonic()

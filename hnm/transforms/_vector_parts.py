"""Vectors kept on disk while a stage runs, in part files that survive a kill: the next run finds and reuses them.

A part is written under a temporary name and then renamed, so that what carries a part's name is whole; checksums of its
pages tell when a disk has damaged it all the same.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from hnm.context import Context
from hnm.sqltext import literal

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

WRITE_EVERY_SECONDS = 20.0
ROWS_PER_PART = 65_536
ROWS_READ_AT_ONCE = 8_192
"""Rows per row group: DuckDB holds a whole one per thread, which no `memory_limit` divides."""
_TEMPORARY = ".writing"


class VectorParts:
    """Part files in one folder: at most one vector for each key (text_hash, side)."""

    def __init__(self, folder: Path, width: int, context: Context) -> None:
        """Take over the parts that are there and fit; those that are broken or of another width go, with a note."""
        self.width = width
        self._folder = folder
        self._rows: dict[Path, int] = {}  # of each part, in the order of their names
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            rows = self._rows_of(path)
            if rows is None:
                context.note(f"ignoring {path.name}, left by an earlier run: it is incomplete or damaged")
                path.unlink()
            else:
                self._rows[path] = rows

    @property
    def rows(self) -> int:
        return sum(self._rows.values())

    def relation(self) -> str:
        """SQL text of a relation (text_hash, side, place) of all rows in the parts so far; places count from 0."""
        if not self._rows:
            return "(select '' as text_hash, 0 as side, 0 as place where false)"
        paths = [literal(str(path)) for path in self._rows]
        places = accumulate(self._rows.values(), initial=0)
        first = ", ".join(f"({path}, {place})" for path, place in zip(paths, places, strict=False))
        return f"""(
            select text_hash, side, first_place + file_row_number as place
            from read_parquet([{", ".join(paths)}], filename = true, file_row_number = true)
            join (values {first}) as part (filename, first_place) using (filename)
        )"""

    @contextmanager
    def by_place(self) -> Iterator[Callable[[Iterable[int]], "NDArray[np.float32]"]]:
        """A function from places to vectors, of shape (places, width).

        The parts are written one after the other into a nameless file, so that any vector is one short read of it:
        DuckDB cannot sort vectors in less memory than they take.
        """
        import numpy as np
        import pyarrow.parquet as pq

        size = self.width * np.dtype(np.float32).itemsize
        with TemporaryFile(dir=self._folder) as file:
            for path in self._rows:
                for batch in pq.ParquetFile(path).iter_batches(ROWS_READ_AT_ONCE, columns=["vector"]):
                    file.write(batch.column(0).flatten().to_numpy())
            file.flush()

            def vectors(places: Iterable[int]) -> "NDArray[np.float32]":
                read = b"".join(os.pread(file.fileno(), size, place * size) for place in places)
                return np.frombuffer(read, np.float32).reshape(-1, self.width)

            yield vectors

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

        number = int(next(reversed(self._rows)).stem) + 1 if self._rows else 0
        path = self._folder / f"{number:06d}.parquet"
        temporary = path.with_suffix(_TEMPORARY)
        pq.write_table(
            table,
            temporary,
            compression="none",
            use_dictionary=False,
            write_page_checksum=True,
            row_group_size=ROWS_READ_AT_ONCE,
        )
        temporary.replace(path)
        self._rows[path] = table.num_rows

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

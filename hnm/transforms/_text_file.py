"""Texts in a file on disk, any of which is one short read of it.

DuckDB joins texts to rows only where they fit into memory, once for every join.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hnm.sqltext import literal

if TYPE_CHECKING:
    import pyarrow as pa

Places = NDArray[np.int64]


class TextFile:
    """The texts of `text_file`; a text's place counts from 0. Memory: 8 bytes per text."""

    def __init__(self, ids: Path, file: int, ends: Places) -> None:
        self._ids = ids
        self._file = file
        self._ends = ends

    def relation(self) -> str:
        """SQL text of a relation (kind, id, place) of all texts."""
        return f"(select kind, id, file_row_number as place from read_parquet({literal(str(self._ids))}))"

    def sizes(self, places: Places) -> Places:
        """Bytes of each text."""
        return self._ends[places + 1] - self._ends[places]

    def texts(self, places: Places) -> "pa.StringArray":
        """The text at each place; one that is asked for several times is read once."""
        import pyarrow as pa

        unique, again = np.unique(places, return_inverse=True)
        sizes = self.sizes(unique)
        starts = self._ends[unique]
        data = b"".join(os.pread(self._file, size, start) for size, start in zip(sizes, starts, strict=True))
        ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        read = pa.StringArray.from_buffers(len(unique), pa.py_buffer(ends), pa.py_buffer(data))
        return read.take(pa.array(again))


@contextmanager
def text_file(folder: Path, batches: Iterable["pa.RecordBatch"]) -> Iterator[TextFile]:
    """Write texts of the columns kind, id and text into a file in `folder`, which is gone afterwards."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    key = pa.schema([("kind", pa.string()), ("id", pa.string())])
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as temporary:
        ids, path, sizes = Path(temporary) / "ids.parquet", Path(temporary) / "texts", [np.zeros(1, np.int64)]
        with path.open("wb") as file, pq.ParquetWriter(ids, key) as keys:
            for batch in batches:
                keys.write_batch(batch.select(key.names).cast(key))
                texts = batch["text"].cast(pa.large_binary()).fill_null(b"")
                ends = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
                sizes.append(np.diff(ends))
                file.write(texts.buffers()[2][ends[0] : ends[-1]] if len(texts) else b"")
        with path.open("rb") as file:
            yield TextFile(ids, file.fileno(), np.cumsum(np.concatenate(sizes)))

"""Files of the forms that other tools read, to which batches are appended.

Texts become lines in parts of some megabytes: memory that was used just before is filled faster than fresh memory.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from hnm.dataset.tsv import tsv_lines

PART_BYTES = 4 * 2**20
SETTLED_BYTES = 64 * 2**20


class Writer(Protocol):
    """An open file of one form."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the rows."""

    def close(self) -> None:
        """Finish the file."""


class _Settling:
    """A file of bytes that is put on disk while it is written, so that an export of any size keeps little in memory.

    What the system caches of it is used again for what follows. It is also the faster way where memory that was not
    used before is dear, as on many virtual machines.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")
        self._settled = 0

    def settle(self) -> None:
        """Call it after writing to `file`."""
        self.file.flush()
        if self.file.tell() - self._settled >= SETTLED_BYTES:
            os.fsync(self.file.fileno())
            if hasattr(os, "posix_fadvise"):  # not on every system
                os.posix_fadvise(self.file.fileno(), self._settled, 0, os.POSIX_FADV_DONTNEED)
            self._settled = self.file.tell()


class ParquetFile:
    """Parquet, compressed with zstd."""

    suffix = "parquet"

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


class JsonLinesFile:
    """One JSON object per line, UTF-8; NaN and infinity, for which JSON has no word, become null."""

    suffix = "jsonl"

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._written = _Settling(path)

    def write(self, batch: pa.RecordBatch) -> None:
        for part in _parts(batch):
            rows = pl.from_arrow(part)
            assert isinstance(rows, pl.DataFrame)  # noqa: S101 # a batch always becomes one; this tells mypy
            rows.write_ndjson(self._written.file)
            self._written.settle()

    def close(self) -> None:
        self._written.file.close()


class CsvFile:
    """CSV with a header, texts in quotes, inner quotes doubled; a missing value is nothing, an empty text two quotes.

    Columns that are lists are JSON.
    """

    suffix = "csv"

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        flat = pa.schema([field.with_type(pa.string()) if _is_nested(field.type) else field for field in schema])
        self._schema = flat
        self._writer = pyarrow.csv.CSVWriter(path, flat)

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [_as_json(column) if _is_nested(column.type) else column for column in batch.columns]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


class TsvFile:
    """Tab-separated text without header and without quotes; see `hnm.dataset.tsv`."""

    suffix = "tsv"

    def __init__(self, path: Path, schema: pa.Schema | None = None) -> None:
        self._written = _Settling(path)

    def write(self, batch: pa.RecordBatch) -> None:
        for part in _parts(batch):
            self._written.file.write(tsv_lines(part).data)
            self._written.settle()

    def close(self) -> None:
        self._written.file.close()


Kind = type[ParquetFile] | type[JsonLinesFile] | type[CsvFile] | type[TsvFile]


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind))


def _as_json(column: pa.Array) -> pa.Array:
    values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]
    return pa.array(values, pa.string())


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Some rows at a time: about as many as have `PART_BYTES`."""
    at_once = max(1, batch.num_rows * PART_BYTES // max(batch.nbytes, 1))
    for start in range(0, batch.num_rows, at_once):
        yield batch.slice(start, at_once)

"""Files of one export: an equal number of rows in each, numbered, in the forms that other tools read."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from hnm.context import Reporter
from hnm.writers._names import file_name


class Writer(Protocol):
    """An open file of one form."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the rows."""

    def close(self) -> None:
        """Finish the file."""


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
        self._file = path.open("wb")

    def write(self, batch: pa.RecordBatch) -> None:
        rows = pl.from_arrow(batch)
        assert isinstance(rows, pl.DataFrame)  # noqa: S101 # a batch always becomes one; this tells mypy
        rows.write_ndjson(self._file)

    def close(self) -> None:
        self._file.close()


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
    """Tab-separated text without header and without quotes: what would break a line becomes a space.

    That are tab, line feed, carriage return, and the other characters at which Unicode breaks lines.
    """

    suffix = "tsv"

    def __init__(self, path: Path, schema: pa.Schema | None = None) -> None:
        self._file = path.open("wb")

    def write(self, batch: pa.RecordBatch) -> None:
        # Separators are bytes that no UTF-8 text has, so that all texts are cleaned at once, where they lie.
        columns = [_without_wide_breaks(column.cast(pa.string())).cast(pa.binary()) for column in batch.columns]
        fields = pc.binary_join_element_wise(*columns, b"\xff", null_handling="replace")
        lines = pc.binary_join_element_wise(fields, b"", b"\xfe")
        self._file.write(_bytes(lines).translate(TSV_BYTES))

    def close(self) -> None:
        self._file.close()


BREAKS = b"\t\n\r\x0b\x0c\x1c\x1d\x1e"
TSV_BYTES = bytes.maketrans(BREAKS + b"\xff\xfe", b" " * len(BREAKS) + b"\t\n")
WIDE_BREAKS = "[\\x{85}\\x{2028}\\x{2029}]"
"""Those that take more than one byte."""


def _without_wide_breaks(texts: pa.StringArray) -> pa.StringArray:
    """With spaces for them. They are rare: looking whether there is any is five times as fast as replacing them."""
    found = np.frombuffer(_bytes(texts), np.uint8)
    begins = np.flatnonzero(found >= 0xC2)  # a character of several bytes
    first, second, third = (found.take(begins + step, mode="clip") for step in range(3))
    two = (first == 0xC2) & (second == 0x85)
    three = (first == 0xE2) & (second == 0x80) & ((third == 0xA8) | (third == 0xA9))
    return pc.replace_substring_regex(texts, WIDE_BREAKS, " ") if (two | three).any() else texts


def _bytes(array: pa.StringArray | pa.BinaryArray) -> bytes:
    """All values, one after the other."""
    if not len(array):
        return b""
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    return bytes(memoryview(array.buffers()[2])[offsets[0] : offsets[-1]])


Kind = type[ParquetFile] | type[JsonLinesFile] | type[CsvFile] | type[TsvFile]


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind))


def _as_json(column: pa.Array) -> pa.Array:
    values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]
    return pa.array(values, pa.string())


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

"""Parquet: documents, queries, judgments or impressions. Where other formats name lines, this one names row numbers."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.context import Context
from hnm.errors import Location, SourceError
from hnm.readers._options import MappedParams, source_files
from hnm.readers._read import Entry, Record, Rows, Unreadable, read_table
from hnm.readers._tables import Table, check_names
from hnm.transform import transform

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.inputs import Inputs

TABLES: tuple[str, ...] = ()
ROWS_AT_ONCE = 1024


@transform(params=MappedParams, files=source_files, packages=("pyarrow",))
def parquet(inputs: "Inputs", params: MappedParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Read one table. Memory: the columns of a row group that are used, as stored.

    Raises SourceError for missing or broken files, missing columns, and bad rows when they are refused.
    """
    table = params.mapped_table()
    yield from read_table(table, source_files(params, context.root), parquet_rows(table), params.on_bad_rows, context)


def parquet_rows(table: Table) -> Rows:
    """Reads Parquet as records of `table`: of its columns alone, unless it collects all others too."""

    def rows(path: Path, raw: io.BufferedReader) -> Iterator[Entry]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(raw)
            names = file.schema_arrow.names
            check_names(names, Location(path))
            table.check_fields(names, Location(path))
            used = None if table.collects else [name for name in names if name in table.sources.values()]
            row = 0
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=used):
                for row, record in enumerate(_records(_in_microseconds(batch)), row + 1):  # noqa: B020  # goes on counting
                    yield row, record
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                "cannot read the file as Parquet",
                where=Location(path),
                why=str(error),
                hint="is it complete, and is its `format` parquet?",
            ) from error

    return rows


def _in_microseconds(batch: "pa.RecordBatch") -> "pa.RecordBatch":
    """The batch with timestamps of nanoseconds, for which Python has no type, cut to microseconds."""
    import pyarrow as pa

    columns = [
        column.cast(pa.timestamp("us", column.type.tz), safe=False) if _is_nanoseconds(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _is_nanoseconds(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_timestamp(kind)) and kind.unit == "ns"


def _records(batch: "pa.RecordBatch") -> Iterator[Record]:
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):  # raised before the first row: Arrow converts a batch as a whole
        for row in range(batch.num_rows):
            try:
                yield batch.slice(row, 1).to_pylist()[0]
            except UnicodeDecodeError:
                yield Unreadable("not valid UTF-8", "")
            except (ValueError, OverflowError):
                yield Unreadable("holds a time that no calendar has", "")

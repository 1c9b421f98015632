"""Write rows for people (a table) or programs (CSV, JSON lines, Parquet)."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hnm.cli.rows_table import print_rows
from hnm.cli.spans import spans_as_text
from hnm.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def write_rows(rows: "pa.RecordBatchReader", form: Format, output: Path | None, limit: int = 0) -> None:
    """Stream rows to `output`, or to stdout. A file appears under its name only when it is whole."""
    rows = spans_as_text(rows)
    if form is Format.table:
        if output is not None:
            raise QueryError("a table is for the screen", hint="--format csv, json or parquet for a file")
        print_rows(rows, limit)
        return
    if form is Format.parquet and output is None and sys.stdout.isatty():
        raise QueryError("Parquet is not for the screen", hint="name a file with --output, or pipe it")
    with sink(output) as stream:
        _WRITERS[form](rows, stream)


@contextmanager
def sink(output: Path | None) -> Iterator[IO[bytes]]:
    """Where bytes go: a file that appears under its name when it is whole, or stdout, whose reader may leave early.

    A pipe or device, such as /dev/stdout, is written to and never replaced; a link goes on leading where it did.
    """
    if output is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader has gone (as in `hnm query … | head`): point stdout elsewhere so that the exit is quiet.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    from hnm.writers._aside import is_device

    try:
        if is_device(output):
            with output.open("wb") as stream:
                yield stream
        else:
            with _whole(output.resolve()) as stream:
                yield stream
    except OSError as error:
        raise QueryError(f"cannot write {output}", why=str(error)) from None


@contextmanager
def _whole(output: Path) -> Iterator[IO[bytes]]:
    partial = output.with_name(output.name + ".partial")
    try:
        with partial.open("wb") as stream:
            yield stream
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)


def _csv(rows: "pa.RecordBatchReader", sink: IO[bytes]) -> None:
    import csv
    import io

    text = io.TextIOWrapper(sink, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(_ShortLineEnds(text))
    writer.writerow(rows.schema.names)
    for batch in rows:
        writer.writerows(zip(*(_plain(column) for column in batch.columns), strict=True))
    text.detach()


class _ShortLineEnds:
    """Rows that end in a line feed alone, as other tools of a shell expect. The writer itself must go on ending them in
    both signs: it quotes no others, and a carriage return within a text must be quoted."""

    def __init__(self, sink: IO[str]) -> None:
        self.sink = sink

    def write(self, row: str) -> int:
        return self.sink.write(row.removesuffix("\r\n") + "\n")


def _json(rows: "pa.RecordBatchReader", sink: IO[bytes]) -> None:
    for batch in rows:
        for row in batch.to_pylist(maps_as_pydicts="strict"):
            sink.write(_as_json(row).encode() + b"\n")


def _parquet(rows: "pa.RecordBatchReader", sink: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        writer = pq.ParquetWriter(sink, rows.schema)
    except pa.ArrowNotImplementedError as error:
        raise QueryError(
            "Parquet has no type for a column", why=str(error), hint="cast it in the query: `column::varchar`"
        ) from None
    with writer:
        for batch in rows:
            writer.write_batch(batch)


_WRITERS = {Format.csv: _csv, Format.json: _json, Format.parquet: _parquet}


def _plain(column: "pa.Array") -> list[Any]:
    """Values for CSV: nested ones as JSON, 32-bit floats with the digits that such have."""
    if str(column.type) == "float":
        column = column.cast("string")
    return [
        _as_json(value) if isinstance(value, list | dict) else value
        for value in column.to_pylist(maps_as_pydicts="strict")
    ]


def _as_json(value: Any) -> str:
    return json.dumps(_without_nan(value), ensure_ascii=False, default=str)


def _without_nan(value: Any) -> Any:
    """JSON has no word for NaN and infinity: null stands for them."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value

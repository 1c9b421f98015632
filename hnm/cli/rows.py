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

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from hnm.cli.console import stderr, stdout
from hnm.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

CELL_CHARACTERS = 60


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def write_rows(rows: "pa.RecordBatchReader", form: Format, output: Path | None, limit: int = 0) -> None:
    """Stream rows to `output`, or to stdout. A file appears under its name only when it is whole."""
    if form is Format.table:
        if output is not None:
            raise QueryError("a table is for the screen", hint="--format csv, json or parquet for a file")
        _table(rows, limit)
        return
    if form is Format.parquet and output is None and sys.stdout.isatty():
        raise QueryError("Parquet is not for the screen", hint="name a file with --output, or pipe it")
    with sink(output) as stream:
        _WRITERS[form](rows, stream)


@contextmanager
def sink(output: Path | None) -> Iterator[IO[bytes]]:
    """Where bytes go: a file that appears under its name when it is whole, or stdout, whose reader may leave early."""
    if output is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader has gone (as in `hnm query … | head`): point stdout elsewhere so that the exit is quiet.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    partial = output.with_name(output.name + ".partial")
    try:
        with partial.open("wb") as stream:
            yield stream
        partial.replace(output)
    except OSError as error:
        raise QueryError(f"cannot write {output}", why=str(error)) from None
    finally:
        partial.unlink(missing_ok=True)


def _csv(rows: "pa.RecordBatchReader", sink: IO[bytes]) -> None:
    import csv
    import io

    text = io.TextIOWrapper(sink, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(rows.schema.names)
    for batch in rows:
        writer.writerows(zip(*(_plain(column) for column in batch.columns), strict=True))
    text.detach()


def _json(rows: "pa.RecordBatchReader", sink: IO[bytes]) -> None:
    for batch in rows:
        for row in batch.to_pylist(maps_as_pydicts="strict"):
            sink.write(_as_json(row).encode() + b"\n")


def _parquet(rows: "pa.RecordBatchReader", sink: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(sink, rows.schema) as writer:
        for batch in rows:
            writer.write_batch(batch)


_WRITERS = {Format.csv: _csv, Format.json: _json, Format.parquet: _parquet}


def _plain(column: "pa.Array") -> list[Any]:
    """Values for CSV: nested ones as JSON."""
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


def _table(rows: "pa.RecordBatchReader", limit: int) -> None:
    shown, more = _first(rows, limit)
    if len(rows.schema.names) > 8 and len(shown) == 1:
        _one_row(rows.schema.names, shown[0])
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for field in rows.schema:
        right = "right" if str(field.type) in ("float", "double") or "int" in str(field.type) else "left"
        table.add_column(field.name, justify=right, overflow="fold")  # type: ignore[arg-type] # rich wants a literal
    for row in shown:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    stdout().print(table)
    if more:
        stderr().print(f"[dim]the first {limit} rows; --limit 0 shows all[/dim]")


def _one_row(names: list[str], row: dict[str, Any]) -> None:
    """A single wide row reads better downwards."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name in names:
        table.add_row(Text(name, "bold"), Text(_cell(row[name])))
    stdout().print(table)


def _first(rows: "pa.RecordBatchReader", limit: int) -> tuple[list[dict[str, Any]], bool]:
    shown: list[dict[str, Any]] = []
    for batch in rows:
        shown += batch.to_pylist(maps_as_pydicts="strict")
        if limit and len(shown) > limit:
            return shown[:limit], True
    return shown, False


def _cell(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, list) and len(value) > 4:
        return f"[{', '.join(_cell(item) for item in value[:3])}, … {len(value)}]"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(item)}" for key, item in value.items())
    text = str(value).replace("\n", "⏎")
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 1] + "…"

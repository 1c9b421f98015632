"""CSV and its relatives: a header, then one row per record, plain or gzipped. Quoted fields may hold line breaks."""

import io
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from hnm.context import Context
from hnm.errors import Location, SourceError
from hnm.readers._files import raw_lines
from hnm.readers._options import MappedParams, source_files
from hnm.readers._read import Entry, Rows, Unreadable, read_table
from hnm.readers._tables import Table
from hnm.transform import transform

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.inputs import Inputs

TABLES: tuple[str, ...] = ()
LONGEST_FIELD = 2**31 - 1
OTHER_DELIMITERS = (";", "\t", "|")


class CsvParams(MappedParams):
    """`delimiter`: one character, "\\t" for tabs. `quote`: one character, or "" when no character quotes."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', max_length=1)


@transform(params=CsvParams, files=source_files)
def csv(inputs: "Inputs", params: CsvParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Read one table. Raises SourceError for missing files, missing columns, and bad rows when they are refused."""
    table = params.mapped_table()
    rows = csv_rows(table, params.delimiter, params.quote)
    yield from read_table(table, source_files(params, context.root), rows, params.on_bad_rows, context)


def csv_rows(table: Table, delimiter: str, quote: str) -> Rows:
    """Reads CSV as records of `table`."""

    def rows(path: Path, raw: io.BufferedReader) -> Iterator[Entry]:
        records = _records(path, raw, delimiter, quote)
        header: list[str] | None = None
        for line, cells in records:
            if isinstance(cells, Unreadable):
                yield line, cells
            elif header is None:
                header = _header(table, cells, Location(path, line))
            elif len(cells) != len(header):
                reason = f"has {len(cells)} fields, where the header has {len(header)}"
                yield line, Unreadable(reason, delimiter.join(cells))
            else:
                yield line, dict(zip(header, cells, strict=True))

    return rows


def _header(table: Table, cells: list[str], where: Location) -> list[str]:
    header = [cell.strip() for cell in cells]
    other = next((sign for sign in OTHER_DELIMITERS if len(cells) == 1 and sign in cells[0]), None)
    if other:
        hint = f"set `delimiter: {json.dumps(other)}` under the source's `options:`"
        raise SourceError(f"{table.name}: the header has one column, {header[0]!r}", where=where, hint=hint)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise SourceError(f"the header names {twice[0]!r} twice", where=where, hint="give each column its own name")
    table.check_fields(header, where)
    return header


def _records(
    path: Path, raw: io.BufferedReader, delimiter: str, quote: str
) -> Iterator[tuple[int, list[str] | Unreadable]]:
    """(line where it begins, cells) of every record that is not blank. Bytes outside UTF-8 become lone surrogates."""
    from csv import QUOTE_MINIMAL, QUOTE_NONE, Error, field_size_limit, reader

    field_size_limit(LONGEST_FIELD)
    last: deque[str] = deque([""], maxlen=1)

    def text_lines() -> Iterator[str]:
        for _, line in raw_lines(path, raw):
            last.append(line.decode("utf-8", "surrogateescape"))
            yield last[0]

    records = reader(
        text_lines(),
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=QUOTE_MINIMAL if quote else QUOTE_NONE,
        strict=True,
    )
    while True:
        line = records.line_num + 1
        try:
            cells = next(records)
        except StopIteration:
            return
        except Error as error:
            yield line, Unreadable(f"broken CSV: {error}", last[0])
            continue
        if len(cells) > 1 or "".join(cells).strip():
            yield line, cells

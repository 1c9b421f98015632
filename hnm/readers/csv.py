"""CSV and its relatives: a header, then one row per record, plain or gzipped. Quoted fields may hold line breaks."""

import io
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from hnm.context import Context
from hnm.errors import Location, SourceError
from hnm.readers._files import raw_lines
from hnm.readers._options import MappedParams, source_files
from hnm.readers._read import Entry, Rows, Unreadable, read_table
from hnm.readers._tables import Table, check_names
from hnm.readers._values import BadValueError, clean
from hnm.transform import transform

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.inputs import Inputs

TABLES: tuple[str, ...] = ()
LONGEST_FIELD = 2**28
"""Characters. What is longer is no text, but all that follows a stray quote."""
OTHER_DELIMITERS = (";", "\t", "|")


class CsvParams(MappedParams):
    """`delimiter`: one character, "\\t" for tabs. `quote`: one character, or "" when no character quotes."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', max_length=1)

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        if self.delimiter == self.quote or {self.delimiter, self.quote} & set("\r\n"):
            raise ValueError("delimiter and quote must be two signs, and no line ends")
        return self


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
    try:
        clean("".join(cells))
    except BadValueError as error:
        hint = "make UTF-8 of the file, such as with `iconv -f WINDOWS-1252 -t UTF-8`"
        raise SourceError(f"{table.name}: the header {error}", where=where, hint=hint) from None
    header = [cell.strip() for cell in cells]
    other = next((sign for sign in OTHER_DELIMITERS if len(cells) == 1 and sign in cells[0]), None)
    if other:
        hint = f"set `delimiter: {json.dumps(other)}` under the source's `options:`"
        shown = "" if table.private else f", {header[0]!r}"
        raise SourceError(f"{table.name}: the header has one column{shown}", where=where, hint=hint)
    if table.private and not set(header) & set(table.sources.values()):
        raise SourceError(
            f"{table.name}: the first line names no column that is read",
            where=where,
            why="it is not shown: without a header it may hold a session's id",
            hint=f"write a header, or name its columns: `columns: {{{table.private[0]}: <a column of the file>}}`",
        )
    check_names(header, where)
    table.check_fields(header, where)
    return header


def _records(
    path: Path, raw: io.BufferedReader, delimiter: str, quote: str
) -> Iterator[tuple[int, list[str] | Unreadable]]:
    """(line where it begins, cells) of every record that is not blank. Bytes outside UTF-8 become lone surrogates.

    A stray quote takes the lines up to the next one with it: of a broken record only the first line is unreadable, and
    those after it are read anew, each at most twice more.
    """
    from csv import QUOTE_MINIMAL, QUOTE_NONE, Error, field_size_limit, reader

    field_size_limit(LONGEST_FIELD)
    fresh = (line.decode("utf-8", "surrogateescape") for _, line in raw_lines(path, raw))
    again: deque[str] = deque()
    taken: list[str] = []

    def lines() -> Iterator[str]:
        while (line := again.popleft() if again else next(fresh, None)) is not None:
            taken.append(line)
            yield line

    number, records = 1, None
    while True:
        records = records or reader(
            lines(),
            delimiter=delimiter,
            quotechar=quote or None,
            quoting=QUOTE_MINIMAL if quote else QUOTE_NONE,
            strict=True,
        )
        taken.clear()
        try:
            cells = next(records)
        except StopIteration:
            return
        except Error as error:
            yield number, Unreadable(_broken(error, number + len(taken) - 1, len(taken) > 1), taken[0])
            again.extendleft(reversed(taken[1:]))
            number, records = number + 1, None
            continue
        if len(cells) > 1 or "".join(cells).strip():
            yield number, cells
        number += len(taken)


_UNQUOTED = ' (where quotes are but characters of the text, the source needs `options: {quote: ""}`)'


def _broken(error: Exception, last_line: int, several_lines: bool) -> str:
    if str(error) == "unexpected end of data":
        return f"broken CSV: a quote opens in this line and is never closed{_UNQUOTED}"
    opens = f", in line {last_line}: a quote opens in this one" if several_lines else ""
    return f"broken CSV: {error}{opens}{_UNQUOTED if 'expected after' in str(error) else ''}"

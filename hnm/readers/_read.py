"""One pipeline for every format: records in, checked rows out, in batches bounded by rows and by size.

A format gives one function that turns an open file into numbered records (`Rows`); all the rest is here.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.context import EXCERPT_CHARACTERS, Advance, BadRows, Context
from hnm.errors import Location, SourceError
from hnm.inputs import BATCH_ROWS
from hnm.readers._duplicates import Duplicates
from hnm.readers._files import opened
from hnm.readers._tables import Row, Table
from hnm.readers._values import BadValueError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_CHARACTERS = 16 * 2**20
PROGRESS_EVERY = 1024


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands where a record should be: why it is none, and how it reads."""

    reason: str
    content: str | bytes


Record = Mapping[str, object] | Unreadable
Entry = tuple[int, Record]
"""A line number (in Parquet a row number), from 1, and what stands there."""

Rows = Callable[[Path, io.BufferedReader], Iterator[Entry]]


def parsed(pieces: Iterable[tuple[int, bytes | Unreadable]], parse: Callable[[str], Record | None]) -> Iterator[Entry]:
    """Records of a format in which each stands on a line, or in a block of lines, of its own.

    `parse` gives None for a piece to skip, and may raise BadValueError.
    """
    for number, piece in pieces:
        record: Record | None
        if isinstance(piece, Unreadable):
            record = piece
        else:
            try:
                record = parse(piece.decode())
            except UnicodeDecodeError:
                record = Unreadable("not valid UTF-8", piece)
            except BadValueError as error:
                record = Unreadable(str(error), piece)
        if record is not None:
            yield number, record


def read_table(
    table: Table, paths: Sequence[Path], rows: Rows, on_bad_rows: BadRows, context: Context
) -> Iterator["pa.RecordBatch"]:
    """The checked rows of a table from its files, in the files' order; always at least one batch.

    Memory: a batch, and what `Duplicates` keeps per row. Raises SourceError when bad rows are refused, when every row
    is bad, and when there is no row at all (an impression log or a run may be empty).
    """
    read = 0
    with context.progress(f"reading {table.name}", sum(path.stat().st_size for path in paths), "bytes") as advance:
        for batch in _batches(table, _checked(table, paths, _entries(paths, rows, advance), context)):
            read += batch.num_rows
            yield batch
    if not read and not context.bad_rows and not table.may_be_empty:
        raise SourceError(
            f"{table.name} is empty: no row in {', '.join(path.name for path in paths)}",
            where=Location(paths[0]),
            hint="check that the path names the right file, and that the export which wrote it ended well",
        )
    context.settle_bad_rows(on_bad_rows, read)


def _entries(paths: Sequence[Path], rows: Rows, advance: Advance) -> Iterator[tuple[int, int, Record]]:
    """(number of the file, line, record) of all files; advances the progress by the bytes read."""
    for file, path in enumerate(paths):
        with opened(path) as raw:
            done = 0
            for count, (line, record) in enumerate(rows(path, raw)):
                yield file, line, record
                if count % PROGRESS_EVERY == 0 and (here := raw.tell()) > done:
                    advance(here - done)
                    done = here
            advance(max(path.stat().st_size - done, 0))


def _checked(
    table: Table, paths: Sequence[Path], entries: Iterable[tuple[int, int, Record]], context: Context
) -> Iterator[Row]:
    """The good rows. Bad ones are told to the context; repetitions of a judgment are dropped and counted.

    Told, too, is how often a value was taken that the file does not say, such as the grade 1.
    """
    duplicates = Duplicates(table, paths)
    repeated = 0
    assumed = [column for column in table.columns if column.absent is not None]
    unsaid = Counter[str]()
    for file, line, record in entries:
        try:
            row = _row(table, record)
            is_new = duplicates.is_new(row, file, line)
        except BadValueError as error:
            context.bad_row(Location(paths[file], line), str(error), _excerpt(table, record))
            continue
        if not is_new:
            repeated += 1
            continue
        if assumed and not isinstance(record, Unreadable):
            unsaid.update(column.name for column in assumed if column.source not in record)
        yield row
    if repeated:
        context.record(repeated_rows=repeated)
        context.note(f"{table.name}: {repeated:,} repeated rows were read once")
    for column in assumed:
        if count := unsaid[column.name]:
            context.note(f"{table.name}: {count:,} rows have no column {column.source!r}: it is {column.absent} there")


def _row(table: Table, record: Record) -> Row:
    if isinstance(record, Unreadable):
        raise BadValueError(record.reason)
    return table.row(record)


def _excerpt(table: Table, record: Record) -> str:
    """How a bad record begins, as text that can be stored and printed, and without private fields."""
    if isinstance(record, Unreadable):
        if table.private:
            return "(not shown: it may hold a session's id)"
        content = record.content[: 4 * EXCERPT_CHARACTERS]
    else:
        content = json.dumps(table.public(record), ensure_ascii=False, default=str)[: 4 * EXCERPT_CHARACTERS]
    encoded = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    return encoded.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def _batches(table: Table, rows: Iterable[Row]) -> Iterator["pa.RecordBatch"]:
    """Batches of at most BATCH_ROWS rows, fewer when their texts reach BATCH_CHARACTERS; at least one batch."""
    import pyarrow as pa

    schema = table.schema()
    batch: list[Row] = []
    size = 0
    is_first = True
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(batch) >= BATCH_ROWS or size >= BATCH_CHARACTERS:
            yield pa.RecordBatch.from_pylist(batch, schema)
            batch, size, is_first = [], 0, False
    if batch or is_first:
        yield pa.RecordBatch.from_pylist(batch, schema)

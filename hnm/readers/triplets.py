"""Training examples from elsewhere, in the forms that trainers read: triplets with texts, whose collection they span.

What a record may look like is in `_groups.py`. The files are JSON lines, Parquet, CSV, or MS MARCO's triples: three
texts parted by tabs. All but Parquet may be gzipped.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from hnm.context import Context
from hnm.errors import Location, SourceError, nearest
from hnm.readers._files import lines, matching
from hnm.readers._groups import FIELDS, Group, group, joined, rows
from hnm.readers._json import json_rows
from hnm.readers._options import SourceParams
from hnm.readers._read import Entry, Record, Rows, Unreadable, parsed, read_table
from hnm.readers._tables import CORPUS, JUDGMENTS, QUERIES, Column, Table
from hnm.readers._values import BadValueError, identifier, integer, optional, split, text
from hnm.readers.csv import csv_rows
from hnm.readers.parquet import parquet_rows
from hnm.transform import transform

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.inputs import Inputs

TABLES: tuple[str, ...] = ("corpus", "queries", "judgments", "triplets")
SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet", ".csv", ".tsv")
_SPLIT = re.compile(r"(?:^|[._-])(train|dev|validation|valid|test)(?=[._-])")
_ANY = Table("triplets", (), collects=True)
"""What is read from a file before a record's form is known: every field."""


class TripletsParams(SourceParams):
    """`path`: a file, a pattern, or a folder, of which the files of its one format are read.

    `split`: the split of rows that name none; by default what a file is called, as `train` in
    `train-00000-of-00001.parquet`. `columns`: {our field: the file's field} where the names differ.
    """

    table: Literal["corpus", "queries", "judgments", "triplets"]
    split: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _columns_are_known(self) -> Self:
        for name in self.columns:
            if name not in FIELDS and not name.removeprefix("negative_").isdigit():
                hint = nearest(name, FIELDS) or f"they have {', '.join(FIELDS)}"
                raise ValueError(f"columns: triplets have no field {name!r}; {hint}")
        return self


def triplet_files(params: TripletsParams, root: Path) -> list[Path]:
    """The files. Raises SourceError when there are none, or a folder holds several formats."""
    if not (root / params.path).is_dir():
        return matching(root, params.path)
    folder = root / params.path
    found = sorted(path for path in folder.iterdir() if path.is_file() and _holds_triplets(path))
    suffixes = sorted({_suffix(path) for path in found})
    if len(suffixes) != 1:
        raise SourceError(
            f"the folder holds {' and '.join(suffixes)} files" if suffixes else "the folder holds no triplets",
            where=Location(folder),
            why=f"triplets are read from: {', '.join(SUFFIXES)}",
            hint="name the files with a pattern, such as triples.*.tsv",
        )
    return found


@transform(params=TripletsParams, files=triplet_files, packages=("pyarrow",))
def triplets(inputs: "Inputs", params: TripletsParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Read one table: the triplets, or the corpus, queries and judgments (every positive, grade 1) that they span.

    Where a record gives no ids, the MD5 of a text is its id. Every positive of a record goes with every negative of it.
    Raises SourceError for missing files, files of another format, and bad rows when they are refused.
    """
    files = triplet_files(params, context.root)
    yield from read_table(_tables()[params.table], files, _rows(params), params.on_bad_rows, context)


def _tables() -> dict[str, Table]:
    ids = [Column(name, "string", identifier) for name in ("query_id", "positive_id", "negative_id")]
    contents = [Column(name, "string", text) for name in ("query", "positive", "negative")]
    others = (
        Column("strategy", "string", text),
        Column("selected_rank", "int32", optional(integer)),
        Column("split", "string", optional(split)),
    )
    return {
        "corpus": replace(CORPUS, agree=("title", "text"), collects=False),
        "queries": replace(QUERIES, agree=("text", "split")),
        "judgments": JUDGMENTS,
        "triplets": Table(
            "triplets",
            (*ids, *contents, *others),
            key=("query_id", "positive_id", "negative_id", "strategy"),
            agree=("query", "positive", "negative"),
        ),
    }


def _rows(params: TripletsParams) -> Rows:
    def found(path: Path, raw: io.BufferedReader) -> Iterator[Entry]:
        for line, one in _groups(params, path, raw):
            if isinstance(one, Unreadable):
                yield line, one
            else:
                for row in rows(one, params.table):
                    yield line, row

    return found


def _groups(params: TripletsParams, path: Path, raw: io.BufferedReader) -> Iterator[tuple[int, Group | Unreadable]]:
    """The groups of a file; labeled pairs of one query that follow each other make one."""
    split = params.split or _split_of(path)
    entries = ((line, record, _parsed(record, params.columns, split)) for line, record in _records(path, raw))
    for key, members in groupby(entries, lambda entry: _pairs_with(entry[1], entry[2]) or entry[0]):
        same = list(members)
        pairs = [one for _, _, one in same if isinstance(one, Group)]
        if isinstance(key, str) and pairs:
            yield same[0][0], joined(pairs)
        else:
            yield from ((line, one) for line, _, one in same)


def _pairs_with(record: Record, one: Group | Unreadable) -> str | None:
    """The query by which a labeled pair is put together with others."""
    is_pair = not isinstance(record, Unreadable) and isinstance(one, Group) and not (one.positives and one.negatives)
    return one.query.id if is_pair and isinstance(one, Group) else None


def _parsed(record: Record, names: dict[str, str], split: str | None) -> Group | Unreadable:
    if isinstance(record, Unreadable):
        return record
    try:
        others = {name: value for name, value in record.items() if name not in names}
        one = group(others | {ours: record[theirs] for ours, theirs in names.items() if theirs in record})
    except BadValueError as error:
        absent = [theirs for theirs in names.values() if theirs not in record]
        also = f", and no field {absent[0]!r}, which `columns` names" if absent else ""
        return Unreadable(f"{error}{also}", str(dict(record)))
    return one if one.split else replace(one, split=split)


def _records(path: Path, raw: io.BufferedReader) -> Iterator[Entry]:
    match _suffix(path):
        case ".parquet":
            return parquet_rows(_ANY)(path, raw)
        case ".csv":
            return csv_rows(_ANY, ",", '"')(path, raw)
        case ".tsv":
            return parsed(lines(path, raw), _triple)
        case ".jsonl" | ".ndjson" | ".json":
            return json_rows(_ANY)(path, raw)
    raise SourceError("triplets are in no known format", where=Location(path), hint=", ".join(SUFFIXES))


def _triple(line: str) -> Record:
    fields = line.split("\t")
    if len(fields) != 3:
        raise BadValueError(f"has {len(fields)} tab-separated fields, not 3: query, positive, negative")
    return dict(zip(("query", "positive", "negative"), fields, strict=True))


def _holds_triplets(path: Path) -> bool:
    """MS MARCO's folders have queries, qrels and the collection beside the triples."""
    return _suffix(path) in SUFFIXES and (_suffix(path) != ".tsv" or path.name.startswith("triples"))


def _suffix(path: Path) -> str:
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix


def _split_of(path: Path) -> str | None:
    found = _SPLIT.search(path.name)
    return found[1] if found else None

"""BEIR folders: `corpus.jsonl`, `queries.jsonl` and `qrels/*.tsv`, each plain or gzipped (arXiv 2104.08663)."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hnm.context import Context
from hnm.errors import Location, SourceError
from hnm.readers._files import existing_file, existing_folder, lines
from hnm.readers._json import json_rows
from hnm.readers._options import SourceParams
from hnm.readers._read import Entry, Record, Rows, parsed, read_table
from hnm.readers._tables import CORPUS, JUDGMENTS, QUERIES
from hnm.readers._values import BadValueError
from hnm.transform import transform

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.inputs import Inputs

TABLES: tuple[str, ...] = ("corpus", "queries", "judgments")
_HEADER = ("query-id", "corpus-id", "score")


class BeirParams(SourceParams):
    """`path`: the folder. `splits`: the files in `qrels` that are read, without their endings; all when not given."""

    table: Literal["corpus", "queries", "judgments"]
    splits: tuple[str, ...] | None = Field(default=None, min_length=1)


def beir_files(params: BeirParams, root: Path) -> list[Path]:
    """The files of one table. Raises SourceError when they are missing."""
    folder = existing_folder(root / params.path)
    if params.table != "judgments":
        plain = folder / f"{params.table}.jsonl"
        zipped = plain.with_name(f"{plain.name}.gz")
        return [existing_file(zipped if zipped.exists() and not plain.exists() else plain)]
    qrels = existing_folder(folder / "qrels")
    files = sorted(file for pattern in ("*.tsv", "*.tsv.gz") for file in qrels.glob(pattern))
    present = [_split(file) for file in files]
    absent = sorted(set(params.splits or ()).difference(present))
    if not files or absent:
        raise SourceError(
            f"no judgments of split {absent[0]!r}" if absent else "no judgments",
            where=Location(qrels),
            hint=f"it has {', '.join(present)}" if present else "it should hold train.tsv, dev.tsv or test.tsv",
        )
    return [file for file in files if params.splits is None or _split(file) in params.splits]


@transform(params=BeirParams, files=beir_files)
def beir(inputs: "Inputs", params: BeirParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Read one table. A judgment's split is the name of its file; a query has none unless its object says one.

    Raises SourceError for missing files and fields, and for bad rows when they are refused.
    """
    tables = {
        "corpus": CORPUS.mapped({"doc_id": "_id"}),
        "queries": QUERIES.mapped({"query_id": "_id"}),
        "judgments": JUDGMENTS,
    }
    table = tables[params.table]
    rows: Rows = _judgments if params.table == "judgments" else json_rows(table)
    yield from read_table(table, beir_files(params, context.root), rows, params.on_bad_rows, context)


def _split(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".tsv")


def _judgments(path: Path, raw: io.BufferedReader) -> Iterator[Entry]:
    split = _split(path)

    def parse(line: str) -> Record | None:
        fields = tuple(line.split("\t"))
        if len(fields) != 3:
            raise BadValueError(f"has {len(fields)} tab-separated fields, not 3")
        if tuple(name.strip().lower().replace("_", "-") for name in fields) == _HEADER:
            return None
        return {"query_id": fields[0], "doc_id": fields[1], "grade": fields[2], "split": split}

    return parsed(lines(path, raw), parse)

"""TREC files, plain or gzipped: documents, topics, qrels and runs."""

import io
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hnm.context import Context
from hnm.readers._files import lines
from hnm.readers._options import SourceParams, source_files
from hnm.readers._read import Entry, Record, Rows, parsed, read_table
from hnm.readers._sgml import blocks, document, topic
from hnm.readers._tables import CANDIDATES, CORPUS, JUDGMENTS, QUERIES, Table
from hnm.readers._values import BadValueError, real
from hnm.transform import transform

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.inputs import Inputs

TABLES: tuple[str, ...] = ()


class TrecParams(SourceParams):
    """`path` may be a glob. `split`: the split of all judgments or queries in these files.

    Tables: `corpus` (`<DOC>` blocks, TREC text or web), `queries` (`<top>` blocks, of which the title is taken, or
    lines `id<TAB>text`), `judgments` (`qid iteration docid grade`), `run` (`qid Q0 docid rank score tag`; the tag is
    the retriever).
    """

    table: Literal["corpus", "queries", "judgments", "run"]
    split: str | None = None


@transform(params=TrecParams, files=source_files)
def trec(inputs: "Inputs", params: TrecParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Read one table; `run` has the columns of candidates. Ranks of a run that begins with rank 0 are raised by one.

    Raises SourceError for missing files, and for bad rows when they are refused.
    """
    table, rows = _table(params)
    yield from read_table(table, source_files(params, context.root), rows, params.on_bad_rows, context)


def _table(params: TrecParams) -> tuple[Table, Rows]:
    match params.table:
        case "corpus":
            return CORPUS, _documents
        case "queries":
            return QUERIES, partial(_queries, split=params.split)
        case "judgments":
            return JUDGMENTS, partial(_judgments, split=params.split)
        case "run":
            return CANDIDATES, _run


def _documents(path: Path, raw: io.BufferedReader) -> Iterator[Entry]:
    return parsed(blocks(lines(path, raw), "DOC"), document)


def _queries(path: Path, raw: io.BufferedReader, split: str | None) -> Iterator[Entry]:
    def tabbed(line: str) -> Record:
        query_id, tab, text = line.partition("\t")
        if not tab:
            raise BadValueError("has no tab between id and text")
        return {"query_id": query_id, "text": text, "split": split}

    numbered = lines(path, raw)
    first = next(numbered, (0, b""))
    every = chain([first], numbered) if first[0] else numbered
    if first[1].lstrip().startswith(b"<"):
        return parsed(blocks(every, "top"), lambda block: {**topic(block), "split": split})
    return parsed(every, tabbed)


def _judgments(path: Path, raw: io.BufferedReader, split: str | None) -> Iterator[Entry]:
    def judgment(line: str) -> Record:
        query_id, _, doc_id, grade = _fields(line, 4)
        return {"query_id": query_id, "doc_id": doc_id, "grade": grade, "split": split}

    return parsed(lines(path, raw), judgment)


def _run(path: Path, raw: io.BufferedReader) -> Iterator[Entry]:
    first_rank: float | None = None

    def retrieved(line: str) -> Record:
        nonlocal first_rank
        query_id, _, doc_id, rank, score, tag = _fields(line, 6)
        number = real(rank)
        if first_rank is None:
            first_rank = number
        shift = 1 if first_rank == 0 else 0
        return {"query_id": query_id, "doc_id": doc_id, "retriever": tag, "rank": number + shift, "score": score}

    return parsed(lines(path, raw), retrieved)


def _fields(line: str, count: int) -> list[str]:
    fields = line.split()
    if len(fields) != count:
        raise BadValueError(f"has {len(fields)} fields, not {count}")
    return fields

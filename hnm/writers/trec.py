"""Judgments as TREC qrels and rankings as TREC runs, as trec_eval and ir-measures read them."""

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.errors import HnmError
from hnm.writers._aside import aside
from hnm.writers._rows import rows_of

if TYPE_CHECKING:
    import pyarrow as pa


def write_qrels(path: Path, judgments: Iterable["pa.RecordBatch"]) -> None:
    """Lines `qid 0 docid grade`, in the order of the rows; a qrels file has no place for the split.

    Memory: a batch. Raises HnmError for ids with white space, and when writing fails.
    """
    _write_lines(
        path,
        (f"{_word('query_id', row)} 0 {_word('doc_id', row)} {row['grade']}" for row in rows_of(judgments)),
    )


def write_run(path: Path, candidates: Iterable["pa.RecordBatch"]) -> None:
    """Lines `qid Q0 docid rank score tag` of one retriever, which is the tag.

    The rows of a query must come in the order of their ranks. Tools rank by score alone, in 32 bits: so a score that is
    not below the one before it is written as the next smaller number, which breaks ties as the ranks do.
    Memory: a batch, and a rank and a score per query. Raises HnmError for ids with white space, several retrievers,
    ranks out of order, scores that are not finite, and when writing fails.
    """
    _write_lines(path, _run_lines(rows_of(candidates)))


def _run_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    import numpy as np

    tag: str | None = None
    last: dict[str, tuple[int, np.float32]] = {}
    for row in rows:
        query_id, doc_id, retriever = (_word(name, row) for name in ("query_id", "doc_id", "retriever"))
        tag = tag or retriever
        if retriever != tag:
            raise HnmError(
                f"rows of {tag!r} and of {retriever!r} cannot share a run file", hint="write one file per retriever"
            )
        rank, score = row["rank"], np.float32(row["score"])
        if query_id in last:
            last_rank, last_score = last[query_id]
            if rank <= last_rank:
                raise HnmError(
                    f"query {query_id!r}: rank {rank} comes after rank {last_rank}", hint="order by query_id, rank"
                )
            score = min(score, np.nextafter(last_score, np.float32("-inf")))
        if not isfinite(score):
            raise HnmError(f"query {query_id!r}: the score of {doc_id!r} is not a finite number of 32 bits")
        last[query_id] = (rank, score)
        yield f"{query_id} Q0 {doc_id} {rank} {score!s} {tag}"


def _word(name: str, row: Mapping[str, Any]) -> str:
    value = row[name]
    if not isinstance(value, str) or value.split() != [value]:
        raise HnmError(
            f"{name} {value!r} cannot stand in a TREC file",
            why="its fields are parted by white space, and none may be empty",
            hint="replace white space in the ids, or write BEIR, which allows spaces",
        )
    return value


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with aside(path) as written, written.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)

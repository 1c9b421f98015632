"""A collection as a BEIR folder: `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv` (arXiv 2104.08663)."""

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hnm.errors import HnmError
from hnm.writers._aside import aside
from hnm.writers._names import file_name
from hnm.writers._rows import rows_of

if TYPE_CHECKING:
    import pyarrow as pa

HEADER = "query-id\tcorpus-id\tscore\n"
DEFAULT_SPLIT = "test"


def write_beir(
    folder: Path,
    *,
    corpus: Iterable["pa.RecordBatch"],
    queries: Iterable["pa.RecordBatch"],
    judgments: Iterable["pa.RecordBatch"],
) -> None:
    """Write the three tables, in the order of their rows. Judgments without a split go to `qrels/test.tsv`.

    `folder` must be new or empty; it appears when all is written. Memory: a batch. Raises HnmError when an id cannot
    stand in a TSV file or a split in a file's name, when `metadata` is not JSON, and when writing fails.
    """
    with aside(folder) as written:
        written.mkdir()
        _write_objects(written / "corpus.jsonl", map(_document, rows_of(corpus)))
        _write_objects(written / "queries.jsonl", map(_query, rows_of(queries)))
        _write_qrels(written / "qrels", rows_of(judgments))


def _document(row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        metadata = json.loads(row["metadata"] or "{}")
    except json.JSONDecodeError as error:
        raise HnmError(f"document {row['doc_id']!r}: its metadata is not JSON", why=str(error)) from error
    return {"_id": row["doc_id"], "title": row["title"] or "", "text": row["text"] or "", "metadata": metadata}


def _query(row: Mapping[str, Any]) -> dict[str, Any]:
    split = {} if row["split"] is None else {"split": row["split"]}
    return {"_id": row["query_id"], "text": row["text"], **split}


def _write_objects(path: Path, objects: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(item, ensure_ascii=False) + "\n" for item in objects)


def _write_qrels(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    folder.mkdir()
    files: dict[str, IO[str]] = {}
    with ExitStack() as stack:
        for row in rows:
            split = DEFAULT_SPLIT if row["split"] is None else row["split"]
            if split not in files:
                path = folder / f"{file_name(split)}.tsv"
                files[split] = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
                files[split].write(HEADER)
            files[split].write(f"{_field(row['query_id'])}\t{_field(row['doc_id'])}\t{row['grade']}\n")


def _field(identifier: str) -> str:
    if not identifier.strip() or set(identifier) & set("\t\n\r"):
        raise HnmError(
            f"id {identifier!r} cannot stand in a TSV file",
            why="it is blank, or holds a tab or a line break",
            hint="replace such characters in the ids",
        )
    return identifier

"""Write tables of the warehouse in the form that other tools read: BEIR folders, TREC qrels and runs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.errors import StageError, nearest
from hnm.sqltext import quote
from hnm.warehouse.query import query
from hnm.writers.beir import write_beir
from hnm.writers.trec import write_qrels, write_run

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.api import Project

CORPUS = ("doc_id", "title", "text", "metadata")
QUERIES = ("query_id", "text", "split")
JUDGMENTS = ("query_id", "doc_id", "grade", "split")
RUN = ("query_id", "doc_id", "retriever", "rank", "score")


def export_beir(project: "Project", folder: Path) -> None:
    """The stages `corpus`, `queries` and `judgments` as a BEIR folder, which must be new or empty."""
    with ExitStack() as stack:
        corpus = stack.enter_context(_rows(project, "corpus", CORPUS, "order by doc_id"))
        queries = stack.enter_context(_rows(project, "queries", QUERIES, "order by query_id"))
        judgments = stack.enter_context(_rows(project, "judgments", JUDGMENTS, "order by query_id, doc_id"))
        write_beir(folder, corpus=corpus, queries=queries, judgments=judgments)


def export_qrels(project: "Project", table: str, path: Path) -> None:
    """A table of judgments as TREC qrels."""
    with _rows(project, table, JUDGMENTS[:3], "order by query_id, doc_id") as rows:
        write_qrels(path, rows)


def export_run(project: "Project", table: str, retriever: str | None, path: Path) -> None:
    """The list of one retriever (or reranker) as a TREC run; `retriever` may be left out when the table has but one.

    Raises StageError when the retriever is unknown or has to be named.
    """
    with _rows(project, table, ("retriever",), "group by retriever order by retriever") as rows:
        known = [name for batch in rows for name in batch.column(0).to_pylist()]
    if retriever not in known:
        if retriever is not None or len(known) != 1:
            what = f"{table} holds no list of {retriever!r}" if retriever else f"{table} holds {len(known)} lists"
            hint = retriever and nearest(retriever, known)
            raise StageError(what, hint=hint or f"--retriever, one of: {', '.join(known)}")
        retriever = known[0]
    with _rows(project, table, RUN, "where retriever = ? order by query_id, rank", [retriever]) as rows:
        write_run(path, rows)


@contextmanager
def _rows(
    project: "Project", table: str, columns: tuple[str, ...], rest: str, values: list[Any] | None = None
) -> Iterator["pa.RecordBatchReader"]:
    """Rows of a built stage. Raises SelectorError for an unknown one, StageError when it lacks a column."""
    project.node(table)
    done = project.state().get(table)
    if done is None:
        raise StageError(f"{table} was never built", hint=f"hnm run --select +{table}")
    missing = [column for column in columns if column not in done.columns]
    if missing:
        raise StageError(f"{table} has no column {missing[0]!r}", why=f"it has {', '.join(done.columns)}")
    listed = ", ".join(quote(column) for column in columns)
    with query(project.warehouse, f"select {listed} from {quote(table)} {rest}", values) as rows:
        yield rows

"""The queries by which a stage says which of its keys the changes of an input touch: `sql` under `incremental`.

They see the stage's inputs under the names that it knows them by, and `changed`: the unique keys of the input's rows
that were inserted, changed or deleted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hnm.engine.changes import CONSUMED, Tracked, changed_keys, snapshot
from hnm.engine.job import Job
from hnm.engine.scratch import show, table_of
from hnm.errors import StageError
from hnm.project.config import IncrementalConfig
from hnm.sqltext import quote

if TYPE_CHECKING:
    import duckdb


def check_queries(
    connection: "duckdb.DuckDBPyConnection", job: Job, config: IncrementalConfig, tracked: tuple[Tracked, ...]
) -> None:
    """Raise StageError where a query is not one SELECT that gives the key: at the first build, not once it is needed.

    Attach the warehouse first, and call `digest_inputs`.
    """
    for entry in tracked:
        if entry.sql is not None:
            nothing = f"select {entry.listed} from {CONSUMED}.{snapshot(job, entry)} limit 0"
            with _changed(connection, job, entry, nothing):
                _check_one_select(connection, job, entry)
                connection.execute(f"describe {_keys(config, entry)}").fetchall()


def touched_by_query(
    connection: "duckdb.DuckDBPyConnection", job: Job, config: IncrementalConfig, entry: Tracked
) -> str:
    """SQL for the keys that the changes of one input touch. Raises StageError when the input's query fails."""
    table = f"build.delta.{quote(entry.name + ' touched')}"
    with _changed(connection, job, entry, f"select {entry.listed} from ({changed_keys(job, entry)})"):
        connection.execute(f"create table {table} as {_keys(config, entry)}")
    return f"select * from {table}"


def _keys(config: IncrementalConfig, entry: Tracked) -> str:
    return f"select {', '.join(map(quote, config.columns))} from ({str(entry.sql).strip().rstrip(';')}\n)"


@contextmanager
def _changed(connection: "duckdb.DuckDBPyConnection", job: Job, entry: Tracked, keys: str) -> Iterator[None]:
    """Show what the query of an input may read; an input that is called `changed` too is hidden meanwhile."""
    import duckdb

    for name, node in job.inputs.items():
        if job.state[node].materialized != "model":
            show(connection, name, table_of(job, node))
    connection.execute("drop view if exists temp.changed")
    connection.execute(f"create temp table changed as {keys}")
    try:
        yield
    except duckdb.Error as error:
        raise StageError(
            f"{job.node.name}: the query for the keys that {entry.name} touches fails",
            where=job.node.where,
            why=str(error).partition("\n")[0],
            hint="it is one SELECT over the stage's inputs and `changed`, and gives the columns of `key`",
        ) from None
    finally:
        connection.execute("drop table temp.changed")


def _check_one_select(connection: "duckdb.DuckDBPyConnection", job: Job, entry: Tracked) -> None:
    import duckdb

    statements = connection.extract_statements(str(entry.sql))
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise StageError(
            f"{job.node.name}: the query for the keys that {entry.name} touches is one SELECT",
            where=job.node.where,
            why=f"it holds {len(statements)} statements" if len(statements) != 1 else "it is another statement",
        )

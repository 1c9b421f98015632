"""Build a SQL stage aside: one SELECT becomes one table."""

import re
from typing import TYPE_CHECKING

from hnm.engine.delta import Delta
from hnm.engine.failures import hint_for
from hnm.engine.job import Job
from hnm.engine.scratch import scratch, table_of, warehouse_attached
from hnm.errors import Location, StageError
from hnm.project.manifest import SqlText
from hnm.sqltext import quote, split_name
from hnm.warehouse.warehouse import qualified

if TYPE_CHECKING:
    import duckdb

_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)


def build_sql(job: Job, sql: SqlText, delta: Delta | None) -> None:
    """Build the rows of the touched keys, or all rows when `delta` is None.

    Raises StageError, with the line of the compiled SQL, when the query is not one SELECT or fails.
    """
    import duckdb

    read = {"delta": delta.file} if delta else {}
    with scratch(job.aside, job.settings, read) as connection, warehouse_attached(connection, job):
        show_inputs(connection, job, delta)
        # What SQL reads must be among its inputs: a file that it opens by itself would be in no fingerprint.
        connection.execute("set enable_external_access = false")
        try:
            select = only_select(connection, job.node.name, sql)
            # On one line with the start of the SELECT, so that lines are those of the compiled file.
            connection.execute(f"create table {job.table} as {select}")
        except duckdb.Error as error:
            raise _failed(job, error) from None


def show_inputs(connection: "duckdb.DuckDBPyConnection", job: Job, delta: Delta | None = None) -> None:
    """Make the node's inputs visible under the names that ref() and source() give."""
    for name in job.node.reads:
        show(connection, name, table_of(job, name) + (delta.restriction(name) if delta else ""))


def show(connection: "duckdb.DuckDBPyConnection", name: str, rows: str) -> None:
    """Make `rows` (what follows FROM) visible under the name that ref() or source() gives to the node `name`."""
    schema, _ = split_name(name)
    if schema:
        connection.execute(f"create schema if not exists {quote(schema)}")
        connection.execute(f"create view {qualified(name)} as select * from {rows}")
    else:  # Lance tables exist for this connection alone, and so must a view that reads them
        connection.execute(f"create temp view {quote(name)} as select * from {rows}")


def only_select(connection: "duckdb.DuckDBPyConnection", stage: str, sql: SqlText) -> str:
    """The one SELECT that a SQL stage is. Raises StageError when it is something else."""
    import duckdb

    statements = connection.extract_statements(sql.compiled)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise StageError(
            f"{stage}: a SQL stage is one SELECT",
            where=Location(sql.path),
            why=f"the file holds {len(statements)} statements" if len(statements) != 1 else "it is another statement",
            hint="hnm creates the table; write only the query",
        )
    return sql.compiled.rstrip().rstrip(";")


def _failed(job: Job, error: Exception) -> StageError:
    message = str(error)
    line = _LINE.search(message)
    where = Location(job.compiled, int(line[1]) if line else None)
    first, _, rest = message.partition("\n")
    what, hint = f"{job.node.name}: {first}", hint_for(error, message)
    if "disabled by configuration" in message:
        hint = "declare the file as a source and read it with source(): so a change of it is seen"
    return StageError(what, where=where, why=rest.strip("\n") or None, hint=hint)

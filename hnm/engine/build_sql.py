"""Build a SQL stage aside: one SELECT becomes one table."""

import re
from typing import TYPE_CHECKING

from hnm.engine.delta import Delta
from hnm.engine.failures import hint_for
from hnm.engine.job import Job
from hnm.engine.scratch import show, table_of
from hnm.errors import Location, StageError
from hnm.project.manifest import SqlText

if TYPE_CHECKING:
    import duckdb

_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)
_NO_TABLE = re.compile(r"Table with name (\w+) does not exist")


def build_sql(connection: "duckdb.DuckDBPyConnection", job: Job, sql: SqlText, delta: Delta | None) -> None:
    """Build the rows of the touched keys, or all rows when `delta` is None. Attach the warehouse first.

    Raises StageError, with the line of the compiled SQL, when the query is not one SELECT or fails.
    """
    import duckdb

    for name in job.node.reads:
        show(connection, name, table_of(job, name) + (delta.restriction(name) if delta else ""))
    # What SQL reads must be among its inputs: a file that it opens by itself would be in no fingerprint.
    connection.execute("set enable_external_access = false")
    try:
        select = only_select(connection, job.node.name, sql)
        # On one line with the start of the SELECT, so that lines are those of the compiled file.
        connection.execute(f"create or replace table {job.table} as {select}")
    except duckdb.Error as error:
        raise _failed(job, error) from None


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
    absent = _NO_TABLE.search(first)
    if absent and absent[1] in job.unique_keys.keys() - {job.node.name}:
        hint = f"read the stage with {{{{ ref('{absent[1]}') }}}}: so it is built first, and a change of it is seen"
    return StageError(what, where=where, why=rest.strip("\n") or None, hint=hint)

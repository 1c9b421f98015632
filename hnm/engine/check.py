"""Look at what stands aside before it is published: contract, data tests, data version."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hnm.engine.contract import check_contract
from hnm.engine.data_tests import Failure, run_tests
from hnm.engine.job import Job
from hnm.engine.scratch import register_lance, show, table_of
from hnm.errors import DataTestError, StageError, WarehouseError
from hnm.warehouse.digest import count_rows, data_version, table_columns
from hnm.warehouse.lance_table import unreadable_stream
from hnm.warehouse.model_folder import folder_version, model_files
from hnm.warehouse.versions import RowChanges, count_changes

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Checked:
    """What is known of a table aside that may be published.

    `warnings`: tests that failed without blocking. `changes`: how its rows differ from the last ones, where that is
    known.
    """

    row_count: int
    columns: Mapping[str, str]
    data_version: str
    warnings: tuple[Failure, ...]
    changes: RowChanges | None


def check(connection: "duckdb.DuckDBPyConnection", job: Job) -> Checked:
    """Attach the warehouse first.

    Raises StageError for a broken contract and DataTestError, with the rows, when a blocking test finds some.
    """
    columns = table_columns(connection, job.table)
    check_contract(connection, job.node, columns)
    failures = _run_tests(connection, job)
    if any(failure.blocks for failure in failures):
        raise _refusal(job, failures)
    rows = count_rows(connection, job.table)
    version = _version(job, connection)
    changes = _changes(connection, job, version, tuple(columns))
    return Checked(rows, columns, version, failures, changes)


def _refusal(job: Job, failures: tuple[Failure, ...]) -> DataTestError:
    blocking = [failure for failure in failures if failure.blocks]
    error = DataTestError(
        f"{job.node.name}: {len(blocking)} of {len(job.node.tests)} data tests failed, nothing was published",
        where=blocking[0].test.where,
        why="\n       ".join(str(failure) for failure in blocking),
        hint="mend the data or the stage, or give the test `severity: warn` or a higher `error_if`",
    )
    error.rows = {failure.test.name: failure.rows for failure in failures}
    return error


def _run_tests(connection: "duckdb.DuckDBPyConnection", job: Job) -> tuple[Failure, ...]:
    """Run the node's tests; they see the table aside, and others that they read, under the names that ref() gives."""
    others = {name for test in job.node.tests for name in test.reads} - {job.node.name}
    missing = others - set(job.state)
    if missing:
        what = f"{job.node.name}: its data tests read {', '.join(sorted(missing))}, never built"
        raise StageError(what, where=job.node.where, hint=f"`hnm run --select +{job.node.name}`")
    show(connection, job.node.name, job.table)
    for name in others:
        show(connection, name, table_of(job, name))
    return tuple(run_tests(connection, job.node.name, job.table, job.node.tests))


def _changes(
    connection: "duckdb.DuckDBPyConnection", job: Job, version: str, columns: tuple[str, ...]
) -> RowChanges | None:
    """How the rows differ from those that are published, if both have the same key and those can be read."""
    import duckdb

    old, key = job.state.get(job.node.name), job.node.config.key
    if old is None or old.data_version == version or not key or "model" in (old.materialized, job.node.materialized):
        return None
    try:
        register_lance(connection, job, [job.node.name])
        return count_changes(connection, table_of(job, job.node.name), job.table, key, job.version_by or columns)
    except WarehouseError:
        return None
    except duckdb.Error as error:
        if not unreadable_stream(str(error)):
            raise
        return None  # damaged: to build it anew must work all the same


def _version(job: Job, connection: "duckdb.DuckDBPyConnection") -> str:
    if job.node.materialized == "model":
        if not model_files(job.context.model_folder):
            raise StageError(f"{job.node.name}: the transform left no model in {job.context.model_folder}")
        return folder_version(job.context.model_folder)
    return content_version(connection, job.table, job.version_by, job.own_components)


def content_version(
    connection: "duckdb.DuckDBPyConnection", table: str, by: tuple[str, ...] | None, own: Mapping[str, str]
) -> str:
    """The data version of a stage's rows. `by`: the columns that stand for the content, together with what the stage
    itself depends on (`own`: its components without inputs).
    """
    return data_version(connection, table, by, salt=repr(sorted(own.items())) if by else "")


def stored_version(
    connection: "duckdb.DuckDBPyConnection", table: str, by: tuple[str, ...] | None, own: Mapping[str, str]
) -> str:
    """The `content_version` of rows that are stored. All of their columns are read: one may be damaged that does not
    count for the content. Raises duckdb.Error then.
    """
    if by:
        connection.execute(f"select count(*) from {table} as stored where hash(stored) is null").fetchall()
    return content_version(connection, table, by, own)

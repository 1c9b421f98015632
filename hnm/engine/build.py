"""Build a node aside and look at it: by its touched keys where it can be, in full otherwise."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hnm.engine.build_python import build_python
from hnm.engine.build_sql import build_sql
from hnm.engine.changes import digest_inputs
from hnm.engine.check import Checked, check
from hnm.engine.delta import Delta, find_delta, fits, merge
from hnm.engine.job import Job
from hnm.engine.place import Placed, place
from hnm.engine.scratch import scratch, warehouse_attached
from hnm.errors import DataTestError
from hnm.project.manifest import Call, SqlText
from hnm.warehouse.failing_rows import keep_failing_rows

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Built:
    """What stands aside, ready to be published. `touched`: how many keys were made anew; None for all."""

    checked: Checked
    touched: int | None
    placed: Placed


def build(job: Job) -> Built:
    """Build the node aside, check it, and put its files in place.

    Raises StageError when it fails, and DataTestError when a blocking test finds rows, which are kept.
    """
    try:
        with scratch(job.aside, job.settings) as connection:
            work = job.node.work
            if isinstance(work, Call):
                delta, checked = _by_transform(connection, job, work)
            else:
                delta, checked = _by_sql(connection, job, work)
            return Built(checked, delta.count if delta else None, place(connection, job, checked))
    except DataTestError as error:
        with job.warehouse.database.writing() as connection:
            keep_failing_rows(connection, job.node.name, error.rows)
        raise


def _by_sql(connection: "duckdb.DuckDBPyConnection", job: Job, sql: SqlText) -> tuple[Delta | None, Checked]:
    """All at one go: after its SQL has run, the connection opens no file any more."""
    with warehouse_attached(connection, job):
        delta = _delta(connection, job)
        build_sql(connection, job, sql, delta)
        if not fits(connection, job) and delta:
            delta = None
            build_sql(connection, job, sql, None)
        return delta, _completed(connection, job, delta)


def _by_transform(connection: "duckdb.DuckDBPyConnection", job: Job, call: Call) -> tuple[Delta | None, Checked]:
    """The warehouse is free while the transform works."""
    with warehouse_attached(connection, job):
        delta = _delta(connection, job)
    build_python(connection, job, call, delta)
    with warehouse_attached(connection, job):
        if fits(connection, job) or delta is None:
            return delta, _completed(connection, job, delta)
    build_python(connection, job, call, None)
    with warehouse_attached(connection, job):
        return None, _completed(connection, job, None)


def _delta(connection: "duckdb.DuckDBPyConnection", job: Job) -> Delta | None:
    digest_inputs(connection, job)
    return find_delta(connection, job)


def _completed(connection: "duckdb.DuckDBPyConnection", job: Job, delta: Delta | None) -> Checked:
    if delta:
        merge(connection, job, delta)
    return check(connection, job)

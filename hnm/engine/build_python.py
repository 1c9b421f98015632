"""Build a Python stage aside: the batches of a transform become one table."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.context import Context
from hnm.engine.delta import Delta
from hnm.engine.job import Job
from hnm.engine.scratch import attach_warehouse, scratch, table_of
from hnm.errors import HnmError, Location, StageError
from hnm.inputs import Inputs
from hnm.project.manifest import Call
from hnm.sqltext import quote

if TYPE_CHECKING:
    import pyarrow as pa


PREVIOUS = "previous"


def build_python(job: Job, call: Call, delta: Delta | None) -> None:
    """Build the rows of the touched keys, or all rows when `delta` is None.

    Raises StageError when the transform fails or yields what is no batch.
    """
    with _inputs(job, call, delta) as inputs:
        _store(job, output(job.node.name, call, inputs, job.context))


def output(stage: str, call: Call, inputs: Inputs, context: Context) -> Iterator["pa.Table"]:
    """What the transform yields, at least one table. Raises StageError when it fails or yields what is no batch."""
    made = False
    try:
        for batch in call.transform(inputs, call.params, context):
            yield _as_table(stage, batch)
            made = True
    except (HnmError, OSError, MemoryError):
        raise
    except Exception as error:  # a transform may raise anything; the run's log keeps the traceback
        raise _failed(stage, error) from error
    if not made:
        raise StageError(
            f"{stage}: the transform yielded nothing, so its columns are unknown",
            hint="yield at least one batch; an empty one will do",
        )


@contextmanager
def _inputs(job: Job, call: Call, delta: Delta | None) -> Iterator[Inputs]:
    """The inputs of a transform under its own names.

    DuckDB tables are copied aside first, so that the warehouse is free while a long stage runs; Lance tables are read
    where they are, at their version.
    """
    names = dict(call.inputs)
    if job.previous and PREVIOUS in call.transform.optional_inputs:
        names[PREVIOUS] = job.node.name
    copies = job.folder / "inputs.duckdb"
    with scratch(copies, job.settings, read={"delta": delta.file} if delta else {}) as connection:
        attach_warehouse(connection, job)
        registered: dict[str, Any] = {}
        models: dict[str, Path] = {}
        tables: list[str] = []
        for name, source in names.items():
            kept = delta.restriction(name) if delta else ""
            if job.state[source].materialized == "lance" and not kept:
                registered[name] = job.warehouse.lance_dataset(job.state[source])
                continue
            if job.state[source].materialized == "model":
                models[name] = job.warehouse.model_path(job.state[source])
            connection.execute(f"create table build.{quote(name)} as select * from {table_of(job, source)}{kept}")
            connection.execute(f"create view {quote(name)} as select * from build.{quote(name)}")
            tables.append(name)
        if job.warehouse.database.exists():
            connection.execute("detach warehouse")
        yield Inputs(connection, tuple(tables), registered, models)
    copies.unlink(missing_ok=True)


def _store(job: Job, tables: Iterator["pa.Table"]) -> None:
    """Write the tables into the one aside, in one transaction."""
    with scratch(job.aside, job.settings) as connection:
        connection.begin()
        made = False
        for table in tables:
            connection.register("batch", table)
            verb = f"insert into {job.table}" if made else f"create table {job.table} as"
            connection.execute(f"{verb} select * from batch")
            connection.unregister("batch")
            made = True
        connection.commit()


def _as_table(stage: str, batch: Any) -> "pa.Table":
    import pyarrow as pa

    if isinstance(batch, pa.RecordBatch):
        return pa.Table.from_batches([batch])
    if isinstance(batch, pa.Table):
        return batch
    raise StageError(
        f"{stage}: the transform yielded a {type(batch).__name__}",
        hint="yield pyarrow.RecordBatch or pyarrow.Table",
    )


def _failed(stage: str, error: Exception) -> StageError:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return StageError(f"{stage}: {words}", where=Location(Path(frame.filename), frame.lineno))

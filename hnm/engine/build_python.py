"""Build a Python stage aside: the batches of a transform become one table."""

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.context import Context
from hnm.engine.changes import changed_keys, is_remembered, tracked_inputs, untracked_change
from hnm.engine.delta import Delta
from hnm.engine.failures import hint_for
from hnm.engine.fingerprint import input_versions
from hnm.engine.job import Job
from hnm.engine.scratch import table_of, warehouse_attached
from hnm.errors import HnmError, Location, StageError
from hnm.inputs import Inputs, Origin
from hnm.project.manifest import Call
from hnm.sqltext import literal, quote
from hnm.transform import PREVIOUS
from hnm.warehouse.database import is_interrupt

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


COMMITTED_BYTES = 64_000_000
"""So much of what a transform yields is held until it is committed."""
_BATCH = "one batch"  # no input can be called so


def build_python(connection: "duckdb.DuckDBPyConnection", job: Job, call: Call, delta: Delta | None) -> None:
    """Build the rows of the touched keys, or all rows when `delta` is None. The warehouse is attached for moments only.

    Raises StageError when the transform fails or yields what is no batch.
    """
    with _inputs(connection, job, call, delta) as inputs:
        _store(connection, job, output(job.node.name, call, inputs, job.context))


def output(stage: str, call: Call, inputs: Inputs, context: Context) -> Iterator["pa.Table"]:
    """What the transform yields, at least one table. Raises StageError when it fails or yields what is no batch."""
    first: pa.Schema | None = None
    try:
        for batch in _iterated(stage, call.transform(inputs, call.params, context)):
            table = _as_table(stage, batch)
            _check_columns(stage, table.schema, first)
            yield table
            first = first or table.schema
    except (HnmError, MemoryError, KeyboardInterrupt, GeneratorExit):
        raise
    except SystemExit as error:
        what = f"{stage}: the transform {call.transform.name} ended with sys.exit({error.code!r})"
        raise StageError(what, hint="a stage that cannot go on raises an exception; one that is done returns") from None
    except BaseException as error:  # a transform may raise anything, and Rust's panics are no Exception; see the log
        if is_interrupt(error):
            raise KeyboardInterrupt from None
        if isinstance(error, OSError) and call.transform.function.__module__.startswith("hnm."):
            raise  # what the system refuses to hnm's own code says nothing of a line of it
        raise _failed(stage, call, error) from error
    if first is None:
        raise StageError(
            f"{stage}: the transform yielded nothing, so its columns are unknown",
            hint="yield at least one batch; an empty one will do",
        )


@contextmanager
def _inputs(connection: "duckdb.DuckDBPyConnection", job: Job, call: Call, delta: Delta | None) -> Iterator[Inputs]:
    """The inputs of a transform under its own names.

    DuckDB tables are copied aside first, so that the warehouse is free while a long stage runs; Lance tables are read
    where they are, at their version.
    """
    names = dict(call.inputs)
    if job.previous and PREVIOUS in call.transform.optional_inputs:
        names[PREVIOUS] = job.node.name
    copies = job.folder / "inputs.duckdb"
    connection.execute(f"attach {literal(str(copies))} as inputs")
    registered: dict[str, Any] = {}
    models: dict[str, Path] = {}
    tables: list[str] = []
    with warehouse_attached(connection, job):
        for name, source in names.items():
            kept = delta.restriction(name) if delta else ""
            if job.state[source].materialized == "lance" and not kept:
                registered[name] = job.warehouse.lance_dataset(job.state[source])
                continue
            if job.state[source].materialized == "model":
                models[name] = job.warehouse.model(job.state[source])
            _copy(connection, name, f"select * from {table_of(job, source)}{kept}")
            tables.append(name)
        tables += _changes(connection, job, call) if PREVIOUS in names else []
    facts = {name: job.state[source].facts for name, source in names.items()}
    origins = {name: _origin(job, source) for name, source in names.items()}
    yield Inputs(connection, tuple(tables), registered, models, facts, origins)
    for name in tables:
        connection.execute(f"drop view memory.main.{quote(name)}")
    connection.execute("detach inputs")
    copies.unlink()


def _copy(connection: "duckdb.DuckDBPyConnection", name: str, rows: str) -> None:
    connection.execute(f"create table inputs.main.{quote(name)} as {rows}")
    connection.execute(f"create view memory.main.{quote(name)} as select * from inputs.main.{quote(name)}")


def _origin(job: Job, source: str) -> Origin:
    """What an input is called, its data version, and those of the tables that it was made from."""
    above = input_versions(job.state[source].components)
    models = {name for name in above if name in job.state and job.state[name].materialized == "model"}
    tables = {name: above[name] for name in above if name not in models}
    return Origin(name=source, version=job.state[source].data_version, tables=tables)


def _changes(connection: "duckdb.DuckDBPyConnection", job: Job, call: Call) -> list[str]:
    """Tables `changed_NAME` of what changed in the inputs since `previous` was made; none when that cannot be told."""
    tracked = tracked_inputs(job)
    if untracked_change(job, tracked):
        return []
    made = []
    for entry in tracked:
        if entry.name in call.transform.changes and is_remembered(connection, job, entry):
            made.append(f"changed_{entry.name}")
            _copy(connection, made[-1], changed_keys(job, entry))
    return made


def _store(connection: "duckdb.DuckDBPyConnection", job: Job, tables: Iterator["pa.Table"]) -> None:
    """Write the tables into the one aside.

    A transaction keeps what was registered in it, so it must not become long; nor must there be one for every batch.
    """
    connection.begin()
    made, waiting = False, 0
    for table in tables:
        connection.register(_BATCH, table)
        verb = f"insert into {job.table}" if made else f"create or replace table {job.table} as"
        connection.execute(f"{verb} select * from {quote(_BATCH)}")
        connection.unregister(_BATCH)
        made, waiting = True, waiting + table.nbytes
        if waiting > COMMITTED_BYTES:
            connection.commit()
            connection.begin()
            waiting = 0
    connection.commit()


def _iterated(stage: str, result: Any) -> Iterator[Any]:
    import pyarrow as pa

    if isinstance(result, Iterable) and not isinstance(result, pa.RecordBatch | pa.Table):
        return iter(result)
    what = f"{stage}: the transform returned a {type(result).__name__}, and no batches one after the other"
    raise StageError(what, hint="yield each batch")


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


def _check_columns(stage: str, schema: "pa.Schema", first: "pa.Schema | None") -> None:
    """Refuse what DuckDB would rename, put into the wrong column, or cast without a word."""
    lower = [name.lower() for name in schema.names]
    for index, name in enumerate(schema.names):
        if name.lower() in lower[:index]:
            raise StageError(f"{stage}: the transform yielded the column {name!r} twice", why="case does not count")
    if first is not None and [(field.name, field.type) for field in schema] != [(f.name, f.type) for f in first]:
        raise StageError(
            f"{stage}: the transform yielded batches with different columns",
            why=f"first {_described(first)}; then {_described(schema)}",
            hint="give all batches the same pyarrow schema",
        )


def _described(schema: "pa.Schema") -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)


def _failed(stage: str, call: Call, error: BaseException) -> StageError:
    """The error, placed at the last line of the transform's own module that it passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == call.transform.function.__code__.co_filename]
    frame = (own or frames)[-1]
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    hint = hint_for(error, words, call.inputs)
    if hint is None and "Catalog Error: Table with name" in words:
        hint = f"a transform reads what `inputs` of its stage name: {', '.join(call.inputs) or 'nothing here'}"
    return StageError(f"{stage}: {words}", where=Location(Path(frame.filename), frame.lineno), hint=hint)

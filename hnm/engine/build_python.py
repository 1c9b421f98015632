"""Build a Python stage aside: the batches of a transform become one table."""

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.engine.job import Job
from hnm.engine.scratch import scratch, transform_inputs
from hnm.errors import HnmError, Location, StageError
from hnm.project.manifest import Call

if TYPE_CHECKING:
    import pyarrow as pa


def build_python(job: Job, call: Call) -> None:
    """Raises StageError when the transform fails or yields what is no batch."""
    with transform_inputs(job, call) as inputs:
        try:
            _store(job, call.transform(inputs, call.params, job.context))
        except (HnmError, OSError, MemoryError):
            raise
        except Exception as error:  # a transform may raise anything; the run's log keeps the traceback
            raise _failed(job, error) from error


def _store(job: Job, batches: Iterator[Any]) -> None:
    """Write the batches into the table aside, in one transaction."""
    with scratch(job.aside, job.settings) as connection:
        connection.begin()
        made = False
        for batch in batches:
            connection.register("batch", _as_table(job, batch))
            verb = f"insert into {job.table}" if made else f"create table {job.table} as"
            connection.execute(f"{verb} select * from batch")
            connection.unregister("batch")
            made = True
        if not made:
            raise StageError(
                f"{job.node.name}: the transform yielded nothing, so its columns are unknown",
                hint="yield at least one batch; an empty one will do",
            )
        connection.commit()


def _as_table(job: Job, batch: Any) -> "pa.Table":
    import pyarrow as pa

    if isinstance(batch, pa.RecordBatch):
        return pa.Table.from_batches([batch])
    if isinstance(batch, pa.Table):
        return batch
    raise StageError(
        f"{job.node.name}: the transform yielded a {type(batch).__name__}",
        hint="yield pyarrow.RecordBatch or pyarrow.Table",
    )


def _failed(job: Job, error: Exception) -> StageError:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return StageError(f"{job.node.name}: {words}", where=Location(Path(frame.filename), frame.lineno))

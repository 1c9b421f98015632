"""What runs did: written when a run starts and when it ends, and read back for selectors, `retry` and `diff`.

A run writes its row and what it plans before it builds anything, so that a run that was killed shows as one: its status
stays `running`, and stages that it did not reach stay `planned`.

One run at a time holds the warehouse, so runs are in the order in which their rows were added, which DuckDB's `rowid`
tells. When they started, as they say, does not: clocks are set back.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from hnm.errors import SelectorError
from hnm.warehouse.state import SCHEMA, StageRecord, has_state, write_stage_records

if TYPE_CHECKING:
    import duckdb

_COLUMNS = tuple(field.name for field in fields(StageRecord))


@dataclass(frozen=True)
class Run:
    """One recorded run. `status`: running (or killed while it was), success, failed or interrupted."""

    invocation_id: str
    command: str
    target: str
    started_at: str
    finished_at: str | None
    status: str
    hnm_version: str


def write_run(connection: "duckdb.DuckDBPyConnection", run: Run, records: Sequence[StageRecord]) -> None:
    """Replace the run's row, and add or replace what it did with stages."""
    connection.execute(SCHEMA)
    connection.execute("delete from _hnm.runs where invocation_id = ?", [run.invocation_id])
    connection.execute(
        "insert into _hnm.runs values (?, ?, ?, ?, ?, ?, ?)",
        [run.invocation_id, run.command, run.target, run.started_at, run.finished_at, run.status, run.hnm_version],
    )
    write_stage_records(connection, run.invocation_id, records)


def find_run(connection: "duckdb.DuckDBPyConnection", given: str | None = None) -> Run:
    """The run whose id begins with `given`, or the last one. Raises SelectorError when there is none, or several."""
    runs = _runs(connection)
    if not runs:
        raise SelectorError("no run is recorded yet", hint="`hnm run` makes the first")
    found = [run for run in runs if run.invocation_id.startswith(given or "")]
    if len(found) == 1 or (found and given is None):
        return found[0]
    listed = "\n".join(f"    {run.invocation_id}  {run.started_at[:19]}  {run.status}" for run in (found or runs)[:5])
    what = f"{len(found)} recorded runs begin with {given!r}" if found else f"there is no recorded run {given!r}"
    raise SelectorError(what, why=f"the last ones:\n{listed}", hint="the first characters of an id will do")


def stage_records(connection: "duckdb.DuckDBPyConnection", run: Run) -> dict[str, StageRecord]:
    """What one run did with each of its stages, and did not do yet."""
    return _records(connection, "invocation_id = ?", run.invocation_id)


def built_until(connection: "duckdb.DuckDBPyConnection", run: Run) -> dict[str, StageRecord]:
    """The state that a run left behind: how each stage was last built by it or by a run before it."""
    return _records(
        connection,
        """status = 'built' and invocation_id in (
               select invocation_id from _hnm.runs
               where rowid <= (select rowid from _hnm.runs where invocation_id = ?))
           qualify row_number() over (
               partition by stage
               order by (select r.rowid from _hnm.runs r where r.invocation_id = s.invocation_id) desc) = 1""",
        run.invocation_id,
    )


def _runs(connection: "duckdb.DuckDBPyConnection") -> list[Run]:
    """All runs, the last one first."""
    if not has_state(connection, "runs"):
        return []
    query = (
        "select invocation_id, command, target, started_at, finished_at, status, hnm_version "
        "from _hnm.runs order by rowid desc"
    )
    return [Run(*row) for row in connection.execute(query).fetchall()]


def _records(connection: "duckdb.DuckDBPyConnection", condition: str, value: str) -> dict[str, StageRecord]:
    query = f"select {', '.join(_COLUMNS)} from _hnm.run_stages s where {condition}"
    found = [dict(zip(_COLUMNS, row, strict=True)) for row in connection.execute(query, [value]).fetchall()]
    return {row["stage"]: StageRecord(**{**row, "components": json.loads(row["components"])}) for row in found}

"""Bring a stage up to date by key: find the keys that changed inputs touch, make their rows anew, keep all others.

The result equals a full rebuild as long as the stage's declaration is true: an output row of a key depends only on
input rows of that key, and on what the declared queries name. A stage that appends makes rows of new input rows alone,
and is built in full when rows that it has seen were changed or deleted.

Where nearly all keys are touched, the stage is built in full as well: that is the same result, sooner.
"""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.engine.changes import Tracked, changed_keys, is_remembered, snapshot, tracked_inputs, untracked_change
from hnm.engine.job import Job
from hnm.engine.scratch import scratch, table_of, warehouse_attached
from hnm.errors import StageError
from hnm.project.config import IncrementalConfig
from hnm.sqltext import quote, split_name
from hnm.warehouse.digest import count_rows, table_columns

if TYPE_CHECKING:
    import duckdb


NEARLY_ALL = 0.8
"""Share of the keys from which on a stage is built in full."""


@dataclass(frozen=True)
class Delta:
    """The touched keys, in the table `keys` of a DuckDB file that is attached as `delta`."""

    file: Path
    config: IncrementalConfig
    columns: tuple[str, ...]
    tracked: tuple[Tracked, ...]
    count: int

    def restriction(self, name: str) -> str:
        """The WHERE clause that leaves rows of touched keys in input `name`; empty when that is read whole."""
        entry = next((entry for entry in self.tracked if entry.name == name and entry.restricts), None)
        if entry is None:
            return ""
        return f" where {_key(entry.columns)} in (select {_key(self.columns)} from delta.keys)"


def find_delta(job: Job) -> Delta | None:
    """The keys touched since the last build; None when the stage has to be built in full."""
    config, tracked = job.node.config.incremental, tracked_inputs(job)
    if config is None or job.previous is None or untracked_change(job, tracked):
        return None
    file = job.folder / "delta.duckdb"
    read = {"consumed": job.consumed}
    with scratch(file, job.settings, read) as connection, warehouse_attached(connection, job):
        if not all(is_remembered(connection, job, entry) for entry in tracked):
            return None
        for entry in tracked:
            connection.execute(f"create temp view {_view(entry.name)} as select * from {table_of(job, entry.node)}")
        if config.strategy == "append":
            return _appended(connection, job, file, config, tracked)
        by_key = [entry for entry in tracked if entry.restricts]
        keys = [count_rows(connection, f"consumed.{snapshot(job, entry)}") for entry in by_key]
        many = NEARLY_ALL * max(keys) if keys else inf
        # A query for touched keys joins whole tables: none is asked when the keys alone decide.
        touched = [_touched(connection, job, config, entry) for entry in by_key]
        if touched and count_rows(connection, f"({_union(touched)})") > many:
            return None
        touched += [_touched(connection, job, config, entry) for entry in tracked if not entry.restricts]
        connection.execute(f"create table build.keys as {_union(touched)}")
        count = count_rows(connection, "build.keys")
        return Delta(file, config, config.columns, tracked, count) if count <= many else None


def _appended(
    connection: "duckdb.DuckDBPyConnection",
    job: Job,
    file: Path,
    config: IncrementalConfig,
    tracked: tuple[Tracked, ...],
) -> Delta | None:
    """The new keys of the one input; None when rows that were seen before changed or are gone."""
    (entry,) = tracked
    connection.execute(f"create temp table changed as {changed_keys(job, entry)}")
    if count_rows(connection, "changed where change <> 'inserted'"):
        return None
    connection.execute(f"create table build.keys as select {entry.listed} from changed")
    return Delta(file, config, entry.columns, tracked, count_rows(connection, "build.keys"))


def fits(job: Job, delta: Delta) -> bool:
    """Can the new rows join the old ones? False when their columns differ and `on_schema_change` says rebuild.

    Raises StageError when they differ and it says fail.
    """
    with scratch(job.aside, job.settings) as connection, warehouse_attached(connection, job):
        before = table_columns(connection, table_of(job, job.node.name))
        now = table_columns(connection, job.table)
    policy = delta.config.on_schema_change
    if before == now or (policy == "append_new_columns" and before.items() <= now.items()):
        return True
    if policy == "rebuild":
        return False
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    raise StageError(
        f"{job.node.name}: the new rows have other columns than the old ones: {', '.join(changed)}",
        where=job.node.where,
        hint=f"`hnm run --select {job.node.name} --full-refresh`, or set `on_schema_change` to another policy",
    )


def merge(job: Job, delta: Delta) -> None:
    """Complete the table aside with the last output's rows: those of all untouched keys, or all where it appends."""
    key = _key(delta.columns)
    read, old = {"delta": delta.file}, f"insert into {job.table} by name select * from {table_of(job, job.node.name)}"
    with scratch(job.aside, job.settings, read) as connection, warehouse_attached(connection, job):
        if delta.config.strategy == "append":
            connection.execute(old)
            return
        # Where no input holds the key, the stage has made all rows: those of untouched keys are the old ones.
        connection.execute(f"delete from {job.table} where {key} not in (select {key} from delta.keys)")
        connection.execute(f"{old} where {key} not in (select {key} from delta.keys)")


def _touched(connection: "duckdb.DuckDBPyConnection", job: Job, config: IncrementalConfig, entry: Tracked) -> str:
    """SQL for the keys that the changes of one input touch."""
    changed = f"select {entry.listed} from ({changed_keys(job, entry)})"
    if entry.sql is None:
        renamed = zip(entry.columns, config.columns, strict=True)
        return f"select {', '.join(f'{quote(old)} as {quote(new)}' for old, new in renamed)} from ({changed})"
    # One table per input: the view `changed` that its query reads is another for the next input.
    connection.execute(f"create or replace temp table changed as {changed}")
    table = f"build.{quote('touched ' + entry.name)}"
    connection.execute(f"create table {table} as {entry.sql}")
    return f"select {', '.join(map(quote, config.columns))} from {table}"


def _union(queries: list[str]) -> str:
    return f"select distinct * from ({' union all '.join(queries)})"


def _view(name: str) -> str:
    schema, table = split_name(name)
    return f"{quote(schema)}.{quote(table)}" if schema else quote(table)


def _key(columns: tuple[str, ...]) -> str:
    """A key as one value. Unlike a bare column, it compares null with null."""
    return "{" + ", ".join(f"'{index}': {quote(column)}" for index, column in enumerate(columns)) + "}"

"""Bring a stage up to date by key: find the keys that changed inputs touch, make their rows anew, keep all others.

What a stage consumed is remembered per input as a digest per key (schema `_hnm_inputs` of the warehouse), so that
inserted, changed and deleted rows are all found. The result equals a full rebuild as long as the stage's declaration is
true: an output row of a key depends only on input rows of that key, and on what the declared queries name.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.engine.fingerprint import changed_inputs
from hnm.engine.job import Job
from hnm.engine.scratch import attach_warehouse, scratch, table_of
from hnm.errors import StageError
from hnm.project.config import IncrementalConfig, KeysBySql
from hnm.sqltext import quote
from hnm.warehouse.digest import row_content, table_columns

if TYPE_CHECKING:
    import duckdb

REMEMBERED = "_hnm_inputs"


@dataclass(frozen=True)
class Tracked:
    """A declared input: the node it reads, and the columns under which its rows are remembered.

    `sql`: the query that finds the touched keys; None when the columns are the key itself.
    """

    name: str
    node: str
    columns: tuple[str, ...]
    sql: str | None

    @property
    def listed(self) -> str:
        return _listed(self.columns)


@dataclass(frozen=True)
class Delta:
    """The touched keys, in the table `keys` of a DuckDB file that is attached as `delta`."""

    file: Path
    config: IncrementalConfig
    tracked: tuple[Tracked, ...]
    count: int

    def restriction(self, name: str) -> str:
        """The WHERE clause that leaves rows of touched keys in input `name`; empty when that is read whole."""
        entry = next((entry for entry in self.tracked if entry.name == name and entry.sql is None), None)
        if entry is None:
            return ""
        return f" where {_key(entry.columns)} in (select {_key(self.config.columns)} from delta.keys)"


def tracked_inputs(job: Job) -> tuple[Tracked, ...]:
    """The inputs that the stage declares under `incremental`."""
    config = job.node.config.incremental
    tracked = []
    for name, how in (config.inputs if config else {}).items():
        node = job.inputs.get(name)
        if node is None:  # read only under other vars
            continue
        if isinstance(how, KeysBySql):
            tracked.append(Tracked(name, node, job.unique_keys[node], how.sql))
        else:
            tracked.append(Tracked(name, node, (how,) if isinstance(how, str) else how, None))
    return tuple(tracked)


def find_delta(job: Job) -> Delta | None:
    """The keys touched since the last build; None when the stage has to be built in full."""
    config, old = job.node.config.incremental, job.previous
    if config is None or old is None or job.full_refresh:
        return None
    tracked = tracked_inputs(job)
    if set(changed_inputs(old.components, job.components)) - {entry.node for entry in tracked}:
        return None
    file = job.folder / "delta.duckdb"
    with scratch(file, job.settings) as connection:
        attach_warehouse(connection, job)
        if not all(_is_remembered(connection, job, entry) for entry in tracked):
            return None
        for entry in tracked:
            connection.execute(f"create temp view {_view(entry.name)} as select * from {table_of(job, entry.node)}")
        touched = [_touched(connection, job, config, entry) for entry in tracked]
        connection.execute(f"create table build.keys as select distinct * from ({' union all '.join(touched)})")
        row = connection.execute("select count(*) from build.keys").fetchone()
    return Delta(file, config, tracked, int(row[0]) if row else 0)


def remember_inputs(job: Job) -> None:
    """Write the digests of what was consumed into the file aside, for `publish` to keep with the stage."""
    tracked = tracked_inputs(job)
    if not tracked:
        return
    with scratch(job.aside, job.settings) as connection:
        attach_warehouse(connection, job)
        connection.execute("create schema build.remembered")
        for entry in tracked:
            connection.execute(
                f"create table build.remembered.{snapshot(job, entry)} as {_digests(connection, job, entry)}"
            )


def fits(job: Job, delta: Delta) -> bool:
    """Can the new rows join the old ones? False when their columns differ and `on_schema_change` says rebuild.

    Raises StageError when they differ and it says fail.
    """
    with scratch(job.aside, job.settings) as connection:
        attach_warehouse(connection, job)
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
    """Complete the table aside with the last output's rows of all untouched keys."""
    key = _key(delta.config.columns)
    with scratch(job.aside, job.settings, read={"delta": delta.file}) as connection:
        attach_warehouse(connection, job)
        # Where no input holds the key, the stage has made all rows: those of untouched keys are the old ones.
        connection.execute(f"delete from {job.table} where {key} not in (select {key} from delta.keys)")
        connection.execute(
            f"insert into {job.table} by name select * from {table_of(job, job.node.name)} "
            f"where {key} not in (select {key} from delta.keys)"
        )


def snapshot(job: Job, entry: Tracked) -> str:
    """The table that remembers an input, without its schema."""
    return quote(f"{job.node.name} {entry.name}")


def _touched(connection: "duckdb.DuckDBPyConnection", job: Job, config: IncrementalConfig, entry: Tracked) -> str:
    """SQL for the keys that the changes of one input touch."""
    before = f"warehouse.{REMEMBERED}.{snapshot(job, entry)}"
    now = _digests(connection, job, entry)
    changed = (
        f"select {entry.listed} from ({now}) now full join {before} before using ({entry.listed}) "
        "where now._digest is distinct from before._digest"
    )
    if entry.sql is None:
        renamed = zip(entry.columns, config.columns, strict=True)
        return f"select {', '.join(f'{quote(old)} as {quote(new)}' for old, new in renamed)} from ({changed})"
    # One table per input: the view `changed` that its query reads is another for the next input.
    connection.execute(f"create or replace temp table changed as {changed}")
    table = f"build.{quote('touched ' + entry.name)}"
    connection.execute(f"create table {table} as {entry.sql}")
    return f"select {_listed(config.columns)} from {table}"


def _digests(connection: "duckdb.DuckDBPyConnection", job: Job, entry: Tracked) -> str:
    """SQL for one row per key of an input, with a digest of its rows that does not depend on their order."""
    table = table_of(job, entry.node)
    types = table_columns(connection, table)
    return (
        f"select {entry.listed}, sum(hash({row_content(types, types)})::hugeint) as _digest from {table} "
        f"group by {entry.listed}"
    )


def _is_remembered(connection: "duckdb.DuckDBPyConnection", job: Job, entry: Tracked) -> bool:
    """Was the input remembered under the same columns when the stage was last built?"""
    name = snapshot(job, entry).strip('"')
    found = connection.execute(
        "select list(column_name) from duckdb_columns() "
        "where database_name = 'warehouse' and schema_name = ? and table_name = ?",
        [REMEMBERED, name],
    ).fetchone()
    return bool(found and found[0] and set(found[0]) == {*entry.columns, "_digest"})


def _view(name: str) -> str:
    schema, _, table = name.rpartition(".")
    return f"{quote(schema)}.{quote(table)}" if schema else quote(table)


def _key(columns: tuple[str, ...]) -> str:
    """A key as one value. Unlike a bare column, it compares null with null."""
    return "{" + ", ".join(f"'{index}': {quote(column)}" for index, column in enumerate(columns)) + "}"


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(quote(column) for column in columns)

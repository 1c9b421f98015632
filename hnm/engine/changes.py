"""Which keys of an input were inserted, changed or deleted since a stage was last built.

What a stage consumed of a tracked input is remembered as a digest per key (schema `_hnm_inputs` of the warehouse).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hnm.engine.fingerprint import changed_inputs
from hnm.engine.job import Job
from hnm.engine.scratch import table_of
from hnm.errors import StageError, nearest
from hnm.project.config import KeysBySql
from hnm.project.manifest import Call, Node
from hnm.project.references import stage_of
from hnm.sqltext import literal, quote
from hnm.warehouse.digest import names_and_types, row_content, table_columns

if TYPE_CHECKING:
    import duckdb

REMEMBERED = "_hnm_inputs"
CONSUMED = "build.consumed"
OWN_COLUMNS = ("change", "_digest")
"""What stands beside the key in tables of changes and digests."""


@dataclass(frozen=True)
class Tracked:
    """An input that is remembered: the node (or version of one) it reads, and the columns under which its rows are.

    `sql`: the query that finds the keys of the stage's own output that a change touches. `restricts`: the columns are
    that key, so that only rows of touched keys need be read.
    """

    name: str
    node: str
    columns: tuple[str, ...]
    sql: str | None = None
    restricts: bool = False

    @property
    def listed(self) -> str:
        return ", ".join(quote(column) for column in self.columns)


def tracked_names(node: Node) -> tuple[str, ...]:
    """The names of the inputs that a node may track; see `tracked_inputs`."""
    declared = node.config.incremental.inputs if node.config.incremental else ()
    return (*(node.work.transform.changes if isinstance(node.work, Call) else ()), *declared)


def tracked_inputs(job: Job) -> tuple[Tracked, ...]:
    """The inputs that the stage declares under `incremental`, and those whose changes its transform asks for."""
    return tuple({entry.name: entry for entry in (*_asked_for(job), *declared_inputs(job))}.values())


def declared_inputs(job: Job) -> Iterator[Tracked]:
    """The inputs that the stage declares under `incremental`."""
    config = job.node.config.incremental
    for name, how in (config.inputs if config else {}).items():
        node = job.inputs.get(name)
        if node is None:  # read only under other vars
            continue
        if isinstance(how, KeysBySql):
            yield Tracked(name, node, job.unique_keys[stage_of(node)], sql=how.sql)
        else:
            yield Tracked(name, node, (how,) if isinstance(how, str) else how, restricts=True)


def _asked_for(job: Job) -> Iterator[Tracked]:
    for name in job.node.work.transform.changes if isinstance(job.node.work, Call) else ():
        node = job.inputs.get(name)
        key = job.unique_keys[stage_of(node)] if node else ()
        if node and key:
            yield Tracked(name, node, key)


def untracked_change(job: Job, tracked: tuple[Tracked, ...]) -> bool:
    """Did an input change since the last output that is not tracked under every name that the stage knows it by?"""
    before = job.previous.components if job.previous else {}
    names = {entry.name for entry in tracked}
    untracked = {job.node.reads[node] for name, node in job.inputs.items() if name not in names}
    followed = {job.node.reads[entry.node] for entry in tracked} - untracked
    return bool(set(changed_inputs(before, job.components)) - followed)


def digest_inputs(connection: "duckdb.DuckDBPyConnection", job: Job) -> None:
    """Write the digests of what will be consumed aside, for finding changes now and for `publish` to keep.

    Those of an input that is as it was at the last build are taken over. Attach the warehouse first.
    """
    before = job.previous.components if job.previous else {}
    changed = changed_inputs(before, job.components)
    connection.execute("create schema build.consumed")
    for entry in tracked_inputs(job):
        known = job.node.reads[entry.node] not in changed and is_remembered(connection, job, entry)
        digests = f"from {_remembered(job, entry)}" if known else _digests(connection, job, entry)
        connection.execute(f"create table {CONSUMED}.{snapshot(job, entry)} as {digests}")


def snapshot(job: Job, entry: Tracked) -> str:
    """The table that remembers an input, without its schema."""
    return quote(f"{job.node.name} {entry.name}")


def _remembered(job: Job, entry: Tracked) -> str:
    return f"warehouse.{REMEMBERED}.{snapshot(job, entry)}"


def is_remembered(connection: "duckdb.DuckDBPyConnection", job: Job, entry: Tracked) -> bool:
    """Was the input remembered when the stage was last built, under the same columns of the same types?

    Attach the warehouse first.
    """
    name = snapshot(job, entry).strip('"')
    found = connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where database_name = 'warehouse' and schema_name = ? and table_name = ?",
        [REMEMBERED, name],
    ).fetchall()
    kept = {column: kind for column, kind in found if column != "_digest"}
    types = table_columns(connection, table_of(job, entry.node))
    return len(found) > len(kept) and kept == {column: types.get(column) for column in entry.columns}


def changed_keys(job: Job, entry: Tracked) -> str:
    """SQL for the keys of a remembered input that differ from what was consumed, and how.

    Its columns are the key's and `change`: 'inserted', 'changed' or 'deleted'. Attach the warehouse first, and call
    `digest_inputs`.
    """
    now, before = f"{CONSUMED}.{snapshot(job, entry)}", _remembered(job, entry)
    return (
        f"select {entry.listed}, case when before._digest is null then 'inserted' "
        "when now._digest is null then 'deleted' else 'changed' end as change "
        f"from {now} now full join {before} before using ({entry.listed}) "
        "where now._digest is distinct from before._digest"
    )


def _digests(connection: "duckdb.DuckDBPyConnection", job: Job, entry: Tracked) -> str:
    """SQL for one row per key of an input, with a digest of its rows that does not depend on their order.

    Names and types of the columns are part of it: when they change, all keys have changed.
    """
    table = table_of(job, entry.node)
    types = table_columns(connection, table)
    _check_followed(job, entry, types)
    row = f"hash({row_content(types, types)}, {literal(names_and_types(types, types))})"
    return f"select {entry.listed}, sum({row}::hugeint) as _digest from {table} group by {entry.listed}"


def _check_followed(job: Job, entry: Tracked, types: Mapping[str, str]) -> None:
    """Raise StageError where the columns by which an input is followed are not there, or called as hnm's own."""
    for column in entry.columns:
        if column not in types:
            what = (
                f"{job.node.name}: the input {entry.name} has no column {column!r}, by which its changes are followed"
            )
            raise StageError(what, where=job.node.where, hint=nearest(column, types))
        if column.lower() in OWN_COLUMNS:
            what = f"{job.node.name}: the input {entry.name} cannot be followed by a column called {column!r}"
            raise StageError(what, where=job.node.where, hint="give the column another name in the input's stage")

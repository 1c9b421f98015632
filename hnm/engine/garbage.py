"""What the current state no longer names: old Lance versions and models, orphaned folders and tables, removed stages.

Nothing is garbage that a row of `_hnm.materializations` names, that one of them or a model that stays was built from,
that a stage is pinned to, that carries a tag, or that belongs to the newest published versions of its stage.
"""

import json
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.engine.changes import REMEMBERED
from hnm.engine.fingerprint import input_versions
from hnm.engine.unfinished import begun
from hnm.sqltext import quote
from hnm.warehouse.failing_rows import SCHEMA as FAILURES
from hnm.warehouse.lance_manifests import manifest_files, open_dataset
from hnm.warehouse.lance_tags import read_tags
from hnm.warehouse.lance_versions import OldVersions, find_old_versions, remove_old_versions
from hnm.warehouse.state import Materialization, has_state, read_materializations
from hnm.warehouse.warehouse import Warehouse, qualified

if TYPE_CHECKING:
    import duckdb

Fingerprints = Callable[[str], set[str]]


@dataclass(frozen=True)
class Declared:
    """What all targets that share a warehouse declare.

    `remembered`: tables of consumed inputs that incremental stages still use. `pinned`: versions that inputs name.
    `fingerprints`: under which a stage would be built now, so that interrupted work goes on.
    """

    stages: frozenset[str]
    remembered: frozenset[str]
    pinned: tuple[Materialization, ...]
    fingerprints: Fingerprints


@dataclass(frozen=True)
class Garbage:
    """One thing that can go. `size`: bytes on disk; None in DuckDB, which uses the space of what is dropped again."""

    kind: str
    stage: str
    what: str
    size: int | None
    remove: Callable[[], None]


@dataclass(frozen=True)
class _Needed:
    """By location in the warehouse, the versions that must stay; 0 stands for a whole folder."""

    versions: dict[str, set[int]]
    named: Mapping[str, int]


def find_garbage(warehouse: Warehouse, declared: Declared, keep: int = 1) -> list[Garbage]:
    """All that can go without a trace in any table. `keep`: newest published versions that stay of each stage."""
    if not warehouse.database.exists():
        return [*_files(warehouse, _Needed({}, {})), *_work(warehouse, declared)]
    with warehouse.database.reading() as connection:
        state = read_materializations(connection)
        needed = _needed(connection, state, keep)
        for done in declared.pinned:
            needed.versions.setdefault(str(done.location), set()).add(int(done.lance_version or 0))
        tables = list(_orphan_tables(connection, state, declared))
    dropped = [_table(warehouse, stage, name) for stage, name in tables]
    return [*_files(warehouse, needed), *_work(warehouse, declared), *dropped]


def find_removed_stages(warehouse: Warehouse, declared: Declared) -> list[Garbage]:
    """Stages that are built but that no target declares any more. Their files are garbage once their rows are gone."""
    if not warehouse.database.exists():
        return []
    with warehouse.database.reading() as connection:
        state = read_materializations(connection)
    taken = {name.lower() for name in declared.stages}
    return [
        _removed_stage(warehouse, done, has_table=name.lower() not in taken)
        for name, done in sorted(state.items())
        if name not in declared.stages
    ]


def _removed_stage(warehouse: Warehouse, done: Materialization, has_table: bool) -> Garbage:
    """`has_table`: false where a stage is declared whose name differs in case alone, which DuckDB does not tell apart:
    its table is that one's.
    """

    def remove() -> None:
        with warehouse.database.writing() as connection:
            if has_table:
                connection.execute(f"drop table if exists {qualified(done.stage)}")
            for schema in (REMEMBERED, FAILURES):
                for name in _tables(connection, schema):
                    if _owner(name) == done.stage:
                        connection.execute(f"drop table {schema}.{quote(name)}")
            kept = sorted(_tagged(warehouse, done)) or [-1]
            for table in ("materializations", "quarantine"):
                connection.execute(f"delete from _hnm.{table} where stage = ?", [done.stage])
            for table in ("versions", "dataset_records"):
                if has_state(connection, table):
                    forget = (
                        f"delete from _hnm.{table} where stage = ? and not list_contains(?, coalesce(lance_version, 0))"
                    )
                    connection.execute(forget, [done.stage, kept])

    size = _size(warehouse.folder / done.location) if done.location else None
    return Garbage("removed stage", done.stage, f"{done.row_count:,} rows, {done.materialized}", size, remove)


def _tagged(warehouse: Warehouse, done: Materialization) -> set[int]:
    """Versions of a Lance stage that a tag keeps, though the stage goes; all where a tag is damaged."""
    if done.materialized != "lance":
        return set()
    path = warehouse.folder / str(done.location)
    tags = read_tags(path)
    return set(manifest_files(path) if tags.damaged else tags.versions.values())


def _needed(
    connection: "duckdb.DuckDBPyConnection",
    state: Mapping[str, Materialization],
    keep: int,
    keep_models: int | None = None,
) -> _Needed:
    """`keep`: newest published versions that stay of each stage; `keep_models`: of each model, where that differs."""
    needed: dict[str, set[int]] = {}
    named = {done.location: done.lance_version or 0 for done in state.values() if done.location}
    for location, version in named.items():
        needed.setdefault(location, set()).add(version)
    published = [row for row in connection.execute(_PUBLISHED).fetchall() if row[0] in state]
    built_from = {version for done in state.values() for version in input_versions(done.components).values()}
    for _, _, location, version, components, place in published:
        if place <= (keep if version or keep_models is None else keep_models):
            needed.setdefault(location, set()).add(version)
            if not version and components:  # a model that stays: so must what it was trained on
                built_from |= set(input_versions(json.loads(components)).values())
    for stage, data_version, location, version, _, _ in published:
        if data_version in built_from and data_version != state[stage].data_version:
            needed.setdefault(location, set()).add(version)
    return _Needed(needed, named)


_PUBLISHED = """
select v.stage, v.data_version, v.location, coalesce(v.lance_version, 0), r.components,
       row_number() over (partition by v.stage order by v.built_at desc)
from _hnm.versions v left join _hnm.run_stages r on r.invocation_id = v.invocation_id and r.stage = v.stage
qualify v.location is not null
"""
"""Every version of a Lance table or model that was published, from what, and the place that it has in its stage."""


def needed_versions(warehouse: Warehouse, location: str) -> set[int]:
    """The versions of one Lance table that the state names, or that what is built or any model was made from."""
    with warehouse.database.reading() as connection:
        needed = _needed(connection, read_materializations(connection), keep=0, keep_models=sys.maxsize)
    return needed.versions.get(location, set())


def _files(warehouse: Warehouse, needed: _Needed) -> Iterator[Garbage]:
    """Lance tables, their old versions, and models."""
    for path in sorted((warehouse.folder / "lance").glob("*.lance")):
        location = path.relative_to(warehouse.folder).as_posix()
        yield from _lance(warehouse, path, needed.versions.get(location, set()), needed.named.get(location))
    for path in sorted((warehouse.folder / "models").glob("*/*")):
        location = path.relative_to(warehouse.folder).as_posix()
        if location not in needed.versions:
            yield _folder(warehouse, "model", path.parent.name, path.name, path)


def _lance(warehouse: Warehouse, path: Path, needed: set[int], named: int | None) -> Iterator[Garbage]:
    tags = read_tags(path)
    if tags.damaged:  # who knows which version they keep
        return
    try:
        if not needed and not tags.versions:
            open_dataset(path)
            yield _folder(warehouse, "lance table", path.stem, "no stage has it", path)
            return
        found = find_old_versions(path, needed, named)
    except OSError:  # not, or no longer, a dataset
        if not needed and not tags.versions:
            yield _folder(warehouse, "lance table", path.stem, "not readable, and no stage has it", path)
        return
    if found.versions or found.bytes:
        yield Garbage("lance versions", path.stem, _listed(found), found.bytes, lambda: remove_old_versions(found))


def _work(warehouse: Warehouse, declared: Declared) -> Iterator[Garbage]:
    """Folders of builds that were killed and that no build could go on with."""
    for path in sorted((warehouse.folder / "work").glob("*")):
        if begun(path) not in declared.fingerprints(path.name):
            yield _folder(warehouse, "work", path.name, "an interrupted build that cannot go on", path)


def _orphan_tables(
    connection: "duckdb.DuckDBPyConnection", state: Mapping[str, Materialization], declared: Declared
) -> Iterator[tuple[str, str]]:
    """Owner and SQL name of the tables beside the stages' own that no stage uses any more."""
    for schema in (REMEMBERED, FAILURES):
        for table in _tables(connection, schema):
            owner = _owner(table)
            unused = schema == REMEMBERED and owner in declared.stages and table not in declared.remembered
            if unused or owner not in {*declared.stages, *state}:
                yield owner, f"{schema}.{quote(table)}"


def _table(warehouse: Warehouse, stage: str, name: str) -> Garbage:
    def remove() -> None:
        with warehouse.database.writing() as connection:
            connection.execute(f"drop table if exists {name}")

    return Garbage("table", stage, name, None, remove)


def _folder(warehouse: Warehouse, kind: str, stage: str, what: str, path: Path) -> Garbage:
    def remove() -> None:
        # Renamed first: half a folder under its own name would be taken for a whole one.
        aside = warehouse.folder / "work" / f"removed {uuid.uuid4()}"
        aside.parent.mkdir(exist_ok=True)
        path.rename(aside)
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)
        else:  # somebody put a file or a link where a folder would be
            aside.unlink()
        with suppress(OSError):  # others are in it
            path.parent.rmdir()

    return Garbage(kind, stage, what, _size(path), remove)


def _listed(found: OldVersions) -> str:
    count = len(found.versions)
    if not count:
        return "leftovers of writes that were killed"
    shown = ", ".join(str(version) for version in found.versions[:5]) + (", …" if count > 5 else "")
    return f"version {shown}" if count == 1 else f"{count} versions: {shown}"


def _tables(connection: "duckdb.DuckDBPyConnection", schema: str) -> list[str]:
    query = "select table_name from information_schema.tables where table_schema = ? order by table_name"
    return [row[0] for row in connection.execute(query, [schema]).fetchall()]


def _owner(table: str) -> str:
    """The stage that a table of `_hnm_inputs` or `_hnm_failures` belongs to: its name holds no space."""
    return table.partition(" ")[0]


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())

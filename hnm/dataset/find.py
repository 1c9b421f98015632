"""Which version of a dataset is meant: every published state of a Lance stage is one, by number, digest or tag.

Tags are Lance's own: they lie beside the data that they name, and Lance keeps what carries one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.errors import WarehouseError, nearest
from hnm.warehouse.lance_manifests import manifest_files, readable_versions
from hnm.warehouse.lance_table import open_version
from hnm.warehouse.lance_tags import tags_of
from hnm.warehouse.state import Materialization, has_state, read_materializations
from hnm.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb

DEFAULT_STAGE = "triplets"
_DIGEST = re.compile(r"[0-9a-f]{4,32}")


class UnknownVersionError(WarehouseError):
    """No stage, or no version of it, has the name that was given."""


@dataclass(frozen=True)
class DatasetVersion:
    """One published version of a Lance stage.

    `folder`: of the Lance dataset, which holds all versions. `data_version`: the digest of its content, 32 hex digits.
    `tags`: in alphabetical order. `current`: is it what the stage is at the moment? `here`: False when it was removed,
    or lost; one that is damaged is here.
    `inserted`, `changed`, `deleted`: rows against the version that it replaced, where known. `built_at`: UTC, ISO 8601.
    """

    stage: str
    folder: Path
    lance_version: int
    data_version: str
    tags: tuple[str, ...]
    row_count: int
    built_at: str
    invocation_id: str
    current: bool
    here: bool = True
    inserted: int | None = None
    changed: int | None = None
    deleted: int | None = None

    @property
    def name(self) -> str:
        """How people call it: by its first tag, else by its number."""
        return f"{self.stage}@{self.tags[0] if self.tags else self.lance_version}"

    @property
    def lost(self) -> bool:
        """Did it go though nothing removes what is current or tagged?"""
        return not self.here and (self.current or bool(self.tags))

    def open(self) -> Any:
        """The Lance dataset at this version. Raises WarehouseError when it was removed or is damaged."""
        return open_version(self.folder, self.lance_version, None if self.current else self.name)


def find(warehouse: Warehouse, stage: str, version: str | None = None, removed: bool = False) -> DatasetVersion:
    """The version of a Lance stage that is called `version`: a tag, a number, or the beginning of a digest.

    None is the current one. `removed`: also one whose rows are gone, and of which the record is left. One that is lost
    is found all the same: whoever opens it is told.
    Raises WarehouseError when there is no such stage or version, or several.
    """
    return choose(stage, versions_of(warehouse, stage), version, removed)


def find_reference(
    warehouse: Warehouse, text: str, stages: Iterable[str], default: str = DEFAULT_STAGE, removed: bool = False
) -> DatasetVersion:
    """The version that a person calls `text`, see `parse_reference`. `stages`: those of the project.

    Raises WarehouseError; where a word alone is neither stage nor version, it says what there is.
    """
    known = set(stages)
    stage, version = parse_reference(text, known, default)
    try:
        return find(warehouse, stage, version, removed)
    except UnknownVersionError:
        state = warehouse.state()
        if version is None and stage in known - state.keys():
            raise WarehouseError(
                f"{stage} was never built", hint=f"`hnm run --select +{stage}` makes its first version"
            ) from None
        if "@" in text or version is None:
            raise
        raise _neither(warehouse, text, default, _keeping_versions(state)) from None


def versions_of(warehouse: Warehouse, stage: str) -> tuple[DatasetVersion, ...]:
    """Every published version of a Lance stage, the newest first; those that were removed are there, but not `here`.

    Raises WarehouseError when the stage is unknown or keeps no versions, DamagedTagError when a tag cannot be read.
    """
    if not warehouse.database.exists():
        raise WarehouseError("nothing is built yet", hint=f"`hnm run --select +{stage}` makes the first version")
    with warehouse.database.reading() as connection:
        state = read_materializations(connection)
        rows = _published(connection, stage)
    if not rows:
        raise _no_versions(stage, state)
    folder = warehouse.folder / rows[0][0]
    present, tags = manifest_files(folder), tags_of(folder)
    done = state.get(stage)
    return tuple(
        DatasetVersion(
            stage=stage,
            folder=folder,
            lance_version=number,
            data_version=digest,
            tags=tuple(sorted(name for name, tagged in tags.items() if tagged == number)),
            row_count=count,
            built_at=built_at,
            invocation_id=invocation,
            current=done is not None and done.lance_version == number,
            here=number in present,
            inserted=inserted,
            changed=changed,
            deleted=deleted,
        )
        for _, number, digest, count, invocation, built_at, inserted, changed, deleted in rows
    )


def stages_with_versions(warehouse: Warehouse) -> list[str]:
    """The Lance stages that were built, in alphabetical order, whether or not their files are still there."""
    if not warehouse.database.exists():
        return []
    with warehouse.database.reading() as connection:
        return _keeping_versions(read_materializations(connection))


def damaged_versions(versions: Sequence[DatasetVersion]) -> set[int]:
    """The numbers of those, among the versions of one stage, that are lost or whose manifest cannot be read.

    Their rows are not looked at: `verify` does that.
    """
    readable = readable_versions(versions[0].folder)
    return {entry.lance_version for entry in versions if entry.here or entry.lost} - readable


def choose(
    stage: str, versions: Iterable[DatasetVersion], version: str | None, removed: bool = False
) -> DatasetVersion:
    """See `find`. A tag goes before a number, and a number before a digest."""
    known = tuple(versions)
    if version is None:
        found = [entry for entry in known if entry.current]
    else:
        found = (
            [entry for entry in known if version in entry.tags]
            or [entry for entry in known if str(entry.lance_version) == version]
            or [entry for entry in known if _DIGEST.fullmatch(version) and entry.data_version.startswith(version)]
        )
    found = [_called(entry, version) for entry in found]
    there = [entry for entry in found if entry.here] or [entry for entry in found if entry.lost]
    if len({entry.data_version for entry in there}) > 1:
        listed = ", ".join(str(entry.lance_version) for entry in there)
        raise WarehouseError(f"several versions of {stage} begin with {version!r}: {listed}", hint="give more of it")
    if there:
        return there[0]
    if found and removed:
        return found[0]
    if found:
        raise WarehouseError(
            f"{found[0].name} was removed",
            why="its rows are gone from the disk; only the record of it is left",
            hint=f"`hnm dataset show {stage}@{found[0].lance_version}` says what made it; tagged versions stay",
        )
    raise _unknown(stage, known, version)


def _called(entry: DatasetVersion, version: str | None) -> DatasetVersion:
    """The version with the tag by which it was asked for before its others, so that people read what they wrote."""
    if version not in entry.tags:
        return entry
    return replace(entry, tags=(version, *(tag for tag in entry.tags if tag != version)))


def parse_reference(text: str, stages: Iterable[str], default: str = DEFAULT_STAGE) -> tuple[str, str | None]:
    """Stage and version of `STAGE@VERSION`, `STAGE` (its current version) or `VERSION` (of the stage `default`)."""
    stage, at, version = text.partition("@")
    if at:
        return stage or default, version or None
    return (text, None) if text in set(stages) else (default, text)


def _published(connection: "duckdb.DuckDBPyConnection", stage: str) -> list[tuple[Any, ...]]:
    """Rows of `_hnm.versions`, one per number; a dataset that was made anew counts from 1 again: the last one holds."""
    if not has_state(connection, "versions"):
        return []
    return connection.execute(
        """select location, lance_version, data_version, row_count, invocation_id, built_at, inserted, changed, deleted
           from _hnm.versions where stage = ? and lance_version is not null
           qualify row_number() over (partition by lance_version order by built_at desc) = 1
           order by lance_version desc""",
        [stage],
    ).fetchall()


def _keeping_versions(state: dict[str, Materialization]) -> list[str]:
    return sorted(name for name, done in state.items() if done.materialized == "lance")


def _tags(versions: Iterable[DatasetVersion]) -> list[str]:
    return sorted(tag for entry in versions for tag in entry.tags)


def _names(versions: Iterable[DatasetVersion]) -> list[str]:
    """All that versions are called by."""
    return [name for entry in versions for name in (*entry.tags, str(entry.lance_version), entry.data_version[:12])]


def _neither(warehouse: Warehouse, text: str, default: str, stages: list[str]) -> UnknownVersionError:
    versions = versions_of(warehouse, default) if default in stages else ()
    tags = f"; tags of {default}: {', '.join(_tags(versions))}" if _tags(versions) else ""
    hint = nearest(text, [*stages, *_names(versions)]) or "`hnm dataset list` and `hnm dataset log STAGE` list all"
    why = f"these stages keep versions: {', '.join(stages)}{tags}" if stages else "no stage keeps versions yet"
    return UnknownVersionError(f"there is no stage and no version {text!r}", why=why, hint=hint)


def _no_versions(stage: str, state: dict[str, Materialization]) -> UnknownVersionError:
    lance = _keeping_versions(state)
    listed = f"these keep versions: {', '.join(lance)}" if lance else "declare it with `materialized: lance`"
    if stage in state:
        return UnknownVersionError(
            f"{stage} keeps no versions", why=f"it is a {state[stage].materialized}", hint=listed
        )
    hint = nearest(stage, state) or f"`hnm run --select +{stage}` builds it; {listed}"
    return UnknownVersionError(f"there are no versions of {stage!r}", why="nothing of that name was built", hint=hint)


def _unknown(stage: str, known: tuple[DatasetVersion, ...], version: str | None) -> UnknownVersionError:
    if version is None:
        return UnknownVersionError(f"{stage} has no current version", hint=f"`hnm run --select +{stage}` builds it")
    tags = _tags(known)
    why = f"its tags: {', '.join(tags)}" if tags else "it has no tags"
    hint = nearest(version, _names(known)) or f"`hnm dataset log {stage}` lists all"
    return UnknownVersionError(f"{stage} has no version {version!r}", why=why, hint=hint)

"""Bring an old version back as the current state of its stage.

Nothing is copied: the state names the old Lance version again, together with what that was built from. So a plan shows
honestly what differs from the code, configuration and inputs of today, and the next run that selects the stage builds
it from those. What is built *from* the stage is stale now, as after any change of its content.
"""

from dataclasses import dataclass, replace

from hnm.context import Settings
from hnm.dataset.find import DatasetVersion, find
from hnm.dataset.past_state import past_state
from hnm.dataset.scratch import reading
from hnm.dataset.verify import verify
from hnm.engine.changes import REMEMBERED
from hnm.errors import WarehouseError
from hnm.sqltext import quote
from hnm.warehouse.digest import table_columns
from hnm.warehouse.history import Run, write_run
from hnm.warehouse.lock import run_lock
from hnm.warehouse.state import SCHEMA, Materialization, StageRecord, now, write_materialization
from hnm.warehouse.warehouse import Warehouse, qualified


@dataclass(frozen=True)
class Restored:
    """`replaced`: what was current until now; None when nothing was."""

    version: DatasetVersion
    replaced: DatasetVersion | None


def restore(
    warehouse: Warehouse, version: DatasetVersion, settings: Settings, target: str, invocation_id: str
) -> Restored:
    """Make `version` the current state. Does nothing when it is that already.

    Raises WarehouseError when its rows are not what was published, or nothing is known of how it was built; LockedError
    during a run.
    """
    from hnm import __version__

    with run_lock(warehouse.folder, "hnm dataset restore"):
        before = warehouse.state().get(version.stage)
        current = find(warehouse, version.stage) if before and before.materialized == "lance" else None
        if current and current.lance_version == version.lance_version:
            return Restored(version, current)
        verdict = verify(warehouse, version, settings)
        if verdict.outcome == "damaged":
            raise WarehouseError(
                f"{version.name} is damaged, so it was not restored",
                why=verdict.why,
                hint=f"`hnm dataset verify {version.name}` says whether another version has the same content",
            )
        done = _materialization(warehouse, version, settings, invocation_id)
        run = Run(invocation_id, f"dataset restore {version.name}", target, now(), now(), "success", __version__)
        built = StageRecord(
            version.stage, "built", f"restored {version.name}", done.row_count, fingerprint=done.fingerprint,
            components=done.components,
        )  # fmt: skip
        with warehouse.database.writing() as connection:
            connection.execute(SCHEMA)
            connection.execute(f"drop table if exists {qualified(version.stage)}")  # it may be a table now
            # What the last build consumed is not what this version was built from: the next build must not go by it.
            owned = connection.execute(
                "select table_name from information_schema.tables "
                "where table_schema = ? and split_part(table_name, ' ', 1) = ?",
                [REMEMBERED, version.stage],
            ).fetchall()
            for (name,) in owned:
                connection.execute(f"drop table {REMEMBERED}.{quote(name)}")
            write_materialization(connection, done)
            write_run(connection, run, [built])
    return Restored(version, current)


def _materialization(
    warehouse: Warehouse, version: DatasetVersion, settings: Settings, invocation_id: str
) -> Materialization:
    """The state that the version was, once more. Its `built_at` says when it was built, not when it came back."""
    past = past_state(warehouse, version)
    if not past.components:
        raise WarehouseError(
            f"nothing is known of how {version.name} was built, so it cannot be restored",
            hint=f"its rows can be read: `hnm query 'select * from \"{version.stage}@{version.lance_version}\"'`",
        )
    with reading({"stored": version}, settings) as connection:
        columns = table_columns(connection, "stored")
    return replace(past, invocation_id=invocation_id, columns=columns)

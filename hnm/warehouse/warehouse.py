"""Where a target's tables, Lance datasets and models are, and what state they are in."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.sqltext import quote, split_name
from hnm.warehouse.database import Database
from hnm.warehouse.lance_manifests import has_manifest
from hnm.warehouse.lance_table import open_version
from hnm.warehouse.model_folder import intact
from hnm.warehouse.state import Materialization, read_state
from hnm.warehouse.versions import Versions, read_versions

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Warehouse:
    """The folder of one target.

    hnm.duckdb   tables, state and history
    lance/       one dataset per Lance stage
    models/      one folder per model version
    work/        stages under construction; what a kill left here is taken up again or removed
    """

    folder: Path

    @property
    def database(self) -> Database:
        return Database(self.folder / "hnm.duckdb")

    def lance_path(self, stage: str) -> Path:
        return self.folder / "lance" / f"{stage}.lance"

    def state(self) -> dict[str, Materialization]:
        """The last good state of every node; empty when nothing was built."""
        return self.snapshot()[0]

    def versions(self) -> Versions:
        """What was ever published."""
        return self.snapshot()[1]

    def snapshot(self) -> tuple[dict[str, Materialization], Versions]:
        """State and versions of one moment: opening the file is what takes time.

        A stage whose files were deleted by hand, or the manifest of whose Lance version was, counts as never built.
        """
        if not self.database.exists():
            return {}, Versions()
        with self.database.reading() as connection:
            state, versions = read_state(connection), read_versions(connection)
        return {name: done for name, done in state.items() if self._stands(done)}, versions

    def lance_dataset(self, done: Materialization) -> Any:
        """The Lance dataset of a node at the version that the state names."""
        return open_version(self._path(done), int(done.lance_version or 0))

    def model_path(self, done: Materialization) -> Path:
        """The folder of a model, to be looked at; `model` is for what loads it."""
        return self._path(done)

    def model(self, done: Materialization) -> Path:
        """The folder of a model as it was built. Raises WarehouseError when its files are gone or others."""
        return intact(self._path(done), done.data_version, done.stage)

    @contextmanager
    def querying(self, state: Mapping[str, Materialization], names: set[str]) -> Iterator["duckdb.DuckDBPyConnection"]:
        """A read-only connection in which the Lance tables among `names` (in any case) are visible beside DuckDB's."""
        wanted = {name.lower() for name in names}
        with self.database.reading() as connection:
            for name, done in sorted(state.items()):
                if name.lower() in wanted and done.materialized == "lance":
                    connection.register(name, self.lance_dataset(done))
            yield connection

    def clear(self) -> None:
        """Remove all that was built. Files of others that lie in the folder stay. Hold the run's lock."""
        for name in (
            "hnm.duckdb",
            "hnm.duckdb.wal",
            "hnm.duckdb.wal.old",
            "hnm.duckdb.new",
            "run.lock",
            "run.lock.json",
        ):
            (self.folder / name).unlink(missing_ok=True)
        for name in ("lance", "models", "work"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _stands(self, done: Materialization) -> bool:
        """Is there still what a row of the state names? A table of DuckDB was looked for when the row was read."""
        if done.materialized == "lance":
            return has_manifest(self._path(done), int(done.lance_version or 0))
        return done.location is None or self._path(done).exists()

    def _path(self, done: Materialization) -> Path:
        return self.folder / str(done.location)


def qualified(name: str) -> str:
    """The SQL name of a node's table: `"source"."table"`, or `"main"."stage"`."""
    schema, table = split_name(name)
    return f"{quote(schema or 'main')}.{quote(table)}"

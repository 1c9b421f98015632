"""A DuckDB in memory, bounded by the settings, that sees versions of datasets as tables."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hnm.context import Settings
from hnm.dataset.find import DatasetVersion

if TYPE_CHECKING:
    import duckdb


@contextmanager
def reading(versions: Mapping[str, DatasetVersion], settings: Settings) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection in which each version is a table of the given name, streamed. What does not fit into memory spills.

    Raises WarehouseError when a version was removed or is damaged.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="hnm-") as spill:
        connection = duckdb.connect(
            ":memory:",
            config={"memory_limit": settings.memory_limit, "threads": settings.cores, "temp_directory": spill},
        )
        try:
            for name, version in versions.items():
                connection.register(name, version.open())
            yield connection
        finally:
            connection.close()

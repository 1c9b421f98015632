"""Put in place what a stage leaves as files: a Lance version or a model folder.

That comes before the transaction that publishes it: what no row of `_hnm.materializations` names is garbage.
"""

import shutil
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hnm.dataset.find import DatasetVersion, versions_of
from hnm.dataset.statistics import Statistics, statistics
from hnm.engine.check import Checked, content_version, stored_version
from hnm.engine.job import Job
from hnm.errors import WarehouseError
from hnm.sqltext import quote
from hnm.warehouse import lance_table
from hnm.warehouse.lance_tags import DamagedTagError
from hnm.warehouse.model_folder import folder_version

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_BYTES = 32 * 2**20
LEAST_ROWS, MOST_ROWS = 2_048, 65_536
_STORED = "stored version"


@dataclass(frozen=True)
class Placed:
    """`location`: folder of a Lance table or model in the warehouse. `statistics`: of a Lance version that is new."""

    location: str | None = None
    lance_version: int | None = None
    statistics: Statistics = field(default_factory=dict)


def place(connection: "duckdb.DuckDBPyConnection", job: Job, checked: Checked) -> Placed:
    """Write the Lance version or move the model folder that stands aside; nothing for a DuckDB table."""
    if job.node.materialized == "lance":
        return _lance_version(connection, job, checked)
    if job.node.materialized == "model":
        return Placed(_model_folder(job, checked))
    return Placed()


def _lance_version(connection: "duckdb.DuckDBPyConnection", job: Job, checked: Checked) -> Placed:
    path = job.warehouse.lance_path(job.node.name)
    location = str(path.relative_to(job.warehouse.folder))
    old = job.state.get(job.node.name)
    same = old and old.data_version == checked.data_version and old.lance_version
    kept = _holds if job.full_refresh else _opens
    if same and kept(connection, job, checked, same):
        return Placed(location, same)  # equal content is the same version, whose record is there
    before = _same_content(job, checked)
    if before and _holds(connection, job, checked, before.lance_version):
        version = before.lance_version
    else:
        with closing(_stream(connection, job.table)) as rows:  # one that is left open keeps the file aside attached
            version = lance_table.write_version(path, rows, job.published)
    return Placed(location, version, statistics(connection, job.table))


def _opens(connection: "duckdb.DuckDBPyConnection", job: Job, checked: Checked, version: int) -> bool:
    """Is there such a version? Its rows are not looked at, which would take longer than many a build."""
    return lance_table.is_readable(job.warehouse.lance_path(job.node.name), version)


def _holds(connection: "duckdb.DuckDBPyConnection", job: Job, checked: Checked, version: int) -> bool:
    """Are the stored rows of a version those that were built? All are read: a file may be damaged, or another's."""
    import duckdb

    # To refresh in full must mend columns as well that do not count for the content, such as vectors.
    by = None if job.full_refresh else job.version_by
    wanted = checked.data_version if by == job.version_by else content_version(connection, job.table, None, {})
    try:
        connection.register(_STORED, lance_table.open_version(job.warehouse.lance_path(job.node.name), version))
        found = stored_version(connection, quote(_STORED), by, job.own_components)
    except duckdb.InterruptException:
        raise
    except (WarehouseError, duckdb.Error, OSError, ValueError):
        return False
    finally:
        connection.unregister(_STORED)
    return found == wanted


def _model_folder(job: Job, checked: Checked) -> str:
    folder = job.warehouse.folder / "models" / job.node.name / checked.data_version[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists() and folder_version(folder) != checked.data_version:
        shutil.rmtree(folder)  # somebody changed or removed files of it
    if not folder.exists():
        job.context.model_folder.rename(folder)
    return str(folder.relative_to(job.warehouse.folder))


def _stream(connection: "duckdb.DuckDBPyConnection", table: str) -> "pa.RecordBatchReader":
    """All rows in batches of about `BATCH_BYTES`, as wide as the first rows are: DuckDB makes whole batches."""
    first = connection.sql(f"select * from {table} limit {LEAST_ROWS}").to_arrow_table()
    rows = BATCH_BYTES * max(first.num_rows, 1) // max(first.nbytes, 1)
    return connection.sql(f"select * from {table}").to_arrow_reader(min(max(rows, LEAST_ROWS), MOST_ROWS))


def _same_content(job: Job, checked: Checked) -> DatasetVersion | None:
    """An earlier version that is what was built now, as after a change that was taken back."""
    old = job.state.get(job.node.name)
    if old is None or old.materialized != "lance" or old.data_version == checked.data_version:
        return None
    try:
        versions = versions_of(job.warehouse, job.node.name)
    except DamagedTagError:  # the commands about versions say so; a build needs no tags
        return None
    return next((entry for entry in versions if entry.here and entry.data_version == checked.data_version), None)

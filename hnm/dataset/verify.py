"""Is what is stored still what was published? The digest is computed anew from the stored rows."""

from dataclasses import dataclass
from typing import Literal

from hnm.context import Settings
from hnm.dataset.find import DatasetVersion, versions_of
from hnm.dataset.record import read_record
from hnm.dataset.scratch import reading
from hnm.engine.check import stored_version
from hnm.engine.fingerprint import without_inputs
from hnm.errors import WarehouseError
from hnm.warehouse.lance_table import is_readable
from hnm.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Verdict:
    """`found`: the digest of the stored rows; None when they cannot be read, and `why` says how that failed.

    `twins`: other versions that hold the same content.
    """

    version: DatasetVersion
    outcome: Literal["equal", "damaged", "unknown"]
    found: str | None = None
    why: str | None = None
    twins: tuple[DatasetVersion, ...] = ()


def verify(warehouse: Warehouse, version: DatasetVersion, settings: Settings) -> Verdict:
    """Read all rows of a version and compare their digest with the published one. Memory does not grow with the rows.

    `unknown`: the digest of this stage rests on what no record says, so that only readability could be checked.
    """
    import duckdb

    record = read_record(warehouse, version)
    by, own = (record.version_by, without_inputs(record.components)) if record else (None, {})
    try:
        with reading({"stored": version}, settings) as connection:
            found = stored_version(connection, "stored", by, own)
    except (WarehouseError, duckdb.Error, OSError, ValueError) as error:
        why = error.why if isinstance(error, WarehouseError) else str(error).splitlines()[0]
        return Verdict(version, "damaged", None, why, _twins(warehouse, version))
    if found == version.data_version:
        return Verdict(version, "equal", found)
    if record is None:
        return Verdict(version, "unknown", found, "it was published before records were kept")
    return Verdict(version, "damaged", found, "its rows are not those that were published", _twins(warehouse, version))


def _twins(warehouse: Warehouse, version: DatasetVersion) -> tuple[DatasetVersion, ...]:
    return tuple(
        other
        for other in versions_of(warehouse, version.stage)
        if other.data_version == version.data_version
        and other.lance_version != version.lance_version
        and is_readable(other.folder, other.lance_version)
    )

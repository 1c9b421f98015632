"""The state that a stage had when a version of it was current."""

from hnm.dataset.ancestry import past_build
from hnm.dataset.find import DatasetVersion
from hnm.dataset.record import read_record
from hnm.warehouse.state import Materialization
from hnm.warehouse.warehouse import Warehouse


def past_state(warehouse: Warehouse, version: DatasetVersion) -> Materialization:
    """From the record of the version, else from the history of runs; without components where neither knows of it.

    Its columns are in the dataset itself, and not looked up. `built_at` says when it was built.
    """
    record = read_record(warehouse, version)
    with warehouse.database.reading() as connection:
        known = record or past_build(connection, version.stage, version.data_version)
    return Materialization(
        stage=version.stage,
        invocation_id=version.invocation_id,
        fingerprint=(known and known.fingerprint) or "",
        components=known.components if known else {},
        data_version=version.data_version,
        materialized="lance",
        location=version.folder.relative_to(warehouse.folder).as_posix(),
        lance_version=version.lance_version,
        row_count=version.row_count,
        columns={},
        facts=record.facts if record else {},
        built_at=version.built_at,
    )

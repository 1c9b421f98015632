"""Look at what stands aside before it is published: contract, data tests, data version."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.engine.build_sql import show_inputs
from hnm.engine.job import Job
from hnm.engine.scratch import scratch
from hnm.errors import DataTestError, StageError, nearest
from hnm.project.data_tests import Failure, run_tests
from hnm.project.manifest import Call, Node
from hnm.warehouse.digest import data_version, files_version, table_columns

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Checked:
    """What is known of a table aside that may be published. `warnings`: tests that failed without blocking."""

    row_count: int
    columns: Mapping[str, str]
    data_version: str
    warnings: tuple[Failure, ...]


def check(job: Job) -> Checked:
    """Raises StageError for a broken contract and DataTestError when a blocking test finds rows."""
    with scratch(job.aside, job.settings) as connection:
        columns = table_columns(connection, job.table)
        _check_contract(job.node, columns)
        if any(test.reads for test in job.node.tests):
            show_inputs(connection, job)
        failures = run_tests(connection, job.table, job.node.tests)
        blocking = [failure for failure in failures if failure.test.options.severity == "error"]
        if blocking:
            raise DataTestError(
                f"{job.node.name}: {len(blocking)} of {len(job.node.tests)} data tests failed, nothing was published",
                where=job.node.where,
                why="\n       ".join(str(failure) for failure in blocking),
                hint="mend the data or the stage, or give the test `severity: warn`",
            )
        row = connection.execute(f"select count(*) from {job.table}").fetchone()
        version = _version(job, connection)
    return Checked(int(row[0]) if row else 0, columns, version, tuple(failures))


def _check_contract(node: Node, columns: Mapping[str, str]) -> None:
    """Every declared column exists, with the declared type."""
    for column in node.config.columns:
        if column.name not in columns:
            hint = nearest(column.name, columns) or f"its columns: {', '.join(columns)}"
            raise StageError(
                f"{node.name}: the declared column {column.name!r} is missing", where=node.where, hint=hint
            )
        if column.type and _plain(columns[column.name]) != _plain(column.type):
            raise StageError(
                f"{node.name}.{column.name} is {columns[column.name]}, declared {column.type}",
                where=node.where,
                hint="cast it in the stage, or change the declaration",
            )


def _plain(kind: str) -> str:
    return _ALIASES.get(kind.upper().replace(" ", ""), kind.upper().replace(" ", ""))


_ALIASES = {"STRING": "VARCHAR", "TEXT": "VARCHAR", "INT": "INTEGER", "REAL": "FLOAT", "BOOL": "BOOLEAN"}


def _version(job: Job, connection: "duckdb.DuckDBPyConnection") -> str:
    if job.node.materialized == "model":
        return _folder_version(job)
    by = job.node.work.transform.version_by if isinstance(job.node.work, Call) else None
    return data_version(connection, job.table, by, salt=repr(sorted(job.own_components.items())) if by else "")


def _folder_version(job: Job) -> str:
    """Digest of the weights and tokenizer; the model card, which holds dates, does not count."""
    folder = job.context.model_folder
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".md"]
    if not files:
        raise StageError(f"{job.node.name}: the transform left no model in {folder}")
    return files_version([(str(path.relative_to(folder)), _sha256(path)) for path in files])


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

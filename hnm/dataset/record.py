"""What made a version: kept with it in `_hnm.dataset_records`, in the transaction that publishes it.

A record never changes. A later build that gives the same content gives the same version, and so leaves the record of
the first one.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.dataset.ancestry import Ancestor, ancestors
from hnm.dataset.code_state import code_state
from hnm.dataset.find import DatasetVersion
from hnm.dataset.statistics import Statistics
from hnm.engine.fingerprint import package_version
from hnm.warehouse.state import Materialization, has_state
from hnm.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb

SCHEMA = """
create table if not exists _hnm.dataset_records (
    stage varchar, location varchar, lance_version bigint, data_version varchar, invocation_id varchar,
    recorded_at varchar, fingerprint varchar, row_count bigint, components json, facts json, version_by json,
    ancestry json, seeds json, packages json, code json, author json, statistics json
);
"""

PACKAGES = (
    "hnm", "duckdb", "pylance", "pyarrow", "polars", "numpy", "scikit-learn", "bm25s", "torch", "transformers",
    "sentence-transformers",
)  # fmt: skip
"""Beside those that a stage declares: what any stage may rest on."""


@dataclass(frozen=True)
class Surroundings:
    """What is the same for all that a build publishes. `code`: see `code_state`; `author`: `user` and `host`."""

    code: Mapping[str, Any]
    author: Mapping[str, str]


@dataclass(frozen=True)
class Record:
    """What made one version.

    `components`: what the stage itself was built from, inputs by data version. `ancestry`: every stage above it as it
    was at that moment, those it reads first. `seeds`: all among the parameters and vars that were read, by stage.
    `version_by`: the columns that stand for the content, null for all. `code`: empty where there is no git.
    `statistics`: see `hnm.dataset.statistics`; empty for what is no table of triplets.
    """

    stage: str
    location: str
    lance_version: int
    data_version: str
    invocation_id: str
    recorded_at: str
    fingerprint: str
    row_count: int
    components: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    version_by: tuple[str, ...] | None = None
    ancestry: tuple[Ancestor, ...] = ()
    seeds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, Any] = field(default_factory=dict)
    author: Mapping[str, str] = field(default_factory=dict)
    statistics: Statistics = field(default_factory=dict)


_COLUMNS = tuple(entry.name for entry in fields(Record))
_JSON = _COLUMNS[_COLUMNS.index("components") :]


def surroundings(root: Path) -> Surroundings:
    """Who builds here and now, and from which commit."""
    import socket
    from getpass import getuser

    try:
        user = getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        user = "unknown"
    return Surroundings(code_state(root), {"user": user, "host": socket.gethostname()})


def write_record(
    connection: "duckdb.DuckDBPyConnection",
    done: Materialization,
    state: Mapping[str, Materialization],
    version_by: tuple[str, ...] | None,
    around: Surroundings,
    statistics: Statistics,
) -> None:
    """Keep what made the version that `done` names, unless that is known. `state`: what its inputs are."""
    connection.execute(SCHEMA)
    if _row(connection, done.stage, done.location, done.lance_version, done.data_version):
        return
    above = ancestors(connection, done.components, state)
    record = Record(
        stage=done.stage,
        location=str(done.location),
        lance_version=int(done.lance_version or 0),
        data_version=done.data_version,
        invocation_id=done.invocation_id,
        recorded_at=done.built_at,
        fingerprint=done.fingerprint,
        row_count=done.row_count,
        components=done.components,
        facts=done.facts,
        version_by=version_by,
        ancestry=above,
        seeds=_seeds({done.stage: done.components} | {entry.stage: entry.components for entry in above}),
        packages=_packages([done.components, *(entry.components for entry in above)]),
        code=around.code,
        author=around.author,
        statistics=statistics,
    )
    values = asdict(record)
    row = [json.dumps(values[name], default=str) if name in _JSON else values[name] for name in _COLUMNS]
    connection.execute(f"insert into _hnm.dataset_records values ({', '.join('?' * len(row))})", row)


def read_record(warehouse: Warehouse, version: DatasetVersion) -> Record | None:
    """What made a version; None for one that was published before records were kept."""
    location = version.folder.relative_to(warehouse.folder).as_posix()
    with warehouse.database.reading() as connection:
        row = _row(connection, version.stage, location, version.lance_version, version.data_version)
    if row is None:
        return None
    known = dict(zip(_COLUMNS, row, strict=True))
    known |= {name: json.loads(known[name]) for name in _JSON}
    known["version_by"] = tuple(known["version_by"]) if known["version_by"] else None
    known["ancestry"] = tuple(Ancestor(**entry) for entry in known["ancestry"])
    return Record(**known)


def _row(
    connection: "duckdb.DuckDBPyConnection", stage: str, location: str | None, number: int | None, digest: str
) -> tuple[Any, ...] | None:
    if not has_state(connection, "dataset_records"):
        return None
    rows = connection.execute(
        f"""select {", ".join(_COLUMNS)} from _hnm.dataset_records
            where stage = ? and location = ? and lance_version = ? and data_version = ?""",
        [stage, location, number, digest],
    ).fetchall()
    return rows[0] if rows else None


def _seeds(components: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    found = {
        stage: {name: value for name, value in known.items() if "seed" in name and name.startswith(("params.", "var "))}
        for stage, known in components.items()
    }
    return {stage: seeds for stage, seeds in found.items() if seeds}


def _packages(components: list[Mapping[str, str]]) -> dict[str, str]:
    """Versions by name: as they were when the stage that declares them was built, and of those here now."""
    declared = {
        name.removeprefix("package "): value
        for known in reversed(components)
        for name, value in known.items()
        if name.startswith("package ")
    }
    here = {name: package_version(name) for name in PACKAGES}
    return dict(sorted((here | declared).items()))

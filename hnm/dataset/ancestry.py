"""Every stage above a version, as it was when the version was built: not as it is now."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hnm.engine.fingerprint import input_versions
from hnm.project.references import stage_of
from hnm.warehouse.state import Materialization

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Ancestor:
    """A stage or source table as it was read. `components` are empty, and the rest null, for what nothing is known of:
    it was replaced before records of it were kept.
    """

    stage: str
    data_version: str
    fingerprint: str | None
    components: Mapping[str, str]
    row_count: int | None
    built_at: str | None

    @property
    def inputs(self) -> Mapping[str, str]:
        """Data versions of what it reads, by stage."""
        return input_versions(self.components)


def ancestors(
    connection: "duckdb.DuckDBPyConnection", components: Mapping[str, str], state: Mapping[str, Materialization]
) -> tuple[Ancestor, ...]:
    """What was read, and what that was built from, to the sources; nearest first.

    A stage may stand twice, when a selection was run and two stages have read different versions of it.
    """
    found: dict[tuple[str, str], Ancestor] = {}
    waiting = list(input_versions(components).items())
    while waiting:
        name, version = waiting.pop(0)
        if (name, version) not in found:
            found[name, version] = _ancestor(connection, name, version, state.get(name))
            waiting += found[name, version].inputs.items()
    return tuple(found.values())


def _ancestor(
    connection: "duckdb.DuckDBPyConnection", name: str, version: str, done: Materialization | None
) -> Ancestor:
    if done and done.data_version == version:
        return Ancestor(name, version, done.fingerprint, done.components, done.row_count, done.built_at)
    return past_build(connection, stage_of(name), version) or Ancestor(name, version, None, {}, None, None)


def past_build(connection: "duckdb.DuckDBPyConnection", stage: str, data_version: str) -> Ancestor | None:
    """How a version that may be current no longer was last built, from the history of runs; None when not known."""
    rows = connection.execute(
        """select r.fingerprint, r.components, v.row_count, v.built_at
           from _hnm.versions v join _hnm.run_stages r using (invocation_id, stage)
           where v.stage = ? and v.data_version = ? and r.status = 'built'
           order by v.built_at desc limit 1""",
        [stage, data_version],
    ).fetchall()
    return next((Ancestor(stage, data_version, row[0], json.loads(row[1]), row[2], row[3]) for row in rows), None)

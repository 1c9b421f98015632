"""One node about to be built: what it is, under which fingerprint, and with what around it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hnm.context import Context, Settings
from hnm.engine.fingerprint import Components, fingerprint, without_inputs
from hnm.project.manifest import Call, Node
from hnm.sqltext import quote
from hnm.warehouse.state import Materialization
from hnm.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Job:
    """`components`: all that the node depends on, inputs included. `state`: what its inputs are built as, versions to
    which it is pinned included.

    `compiled`: the file in which people can read the compiled SQL. `unique_keys`: of every node of the project.
    `published`: the highest number that a Lance version of the node was ever published under.
    """

    node: Node
    components: Components
    state: Mapping[str, Materialization]
    warehouse: Warehouse
    settings: Settings
    context: Context
    folder: Path
    compiled: Path
    unique_keys: Mapping[str, tuple[str, ...]]
    full_refresh: bool = False
    published: int = 0

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.components)

    @property
    def own_components(self) -> Components:
        return without_inputs(self.components)

    @property
    def version_by(self) -> tuple[str, ...] | None:
        """The columns that stand for the content of what is built; None for all."""
        return self.node.work.transform.version_by if isinstance(self.node.work, Call) else None

    @property
    def inputs(self) -> Mapping[str, str]:
        """The names under which the node knows its inputs, to the nodes they are."""
        if isinstance(self.node.work, Call):
            return self.node.work.inputs
        return {name: name for name in self.node.reads}

    @property
    def aside(self) -> Path:
        """The DuckDB file in which the node is built before it is published.

        Beside the table it holds what finding its changes needs: digests of the tracked inputs in the schema
        `consumed`, and the touched keys in `delta`.
        """
        return self.folder / "build.duckdb"

    @property
    def table(self) -> str:
        """The SQL name of the node's table aside."""
        return f"build.main.{quote(self.node.table)}"

    @property
    def previous(self) -> Materialization | None:
        """The last output, if it may be reused row by row: only inputs changed since, and no refresh is wanted."""
        old = None if self.full_refresh else self.state.get(self.node.name)
        return old if old and without_inputs(old.components) == self.own_components else None

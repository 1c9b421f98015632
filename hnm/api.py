"""A project in Python; the command line is a thin layer over this."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.context import Settings, SilentReporter
from hnm.engine.files import FACT, file_components, file_facts
from hnm.engine.fingerprint import own_components
from hnm.engine.graph import Graph
from hnm.engine.plan import Entry, Plan, make_plan
from hnm.engine.run import RunResult, StageResult, compiled_path, execute
from hnm.engine.selectors import select
from hnm.errors import SelectorError, nearest
from hnm.project.load import find_root, load_project
from hnm.project.manifest import Manifest, Node, SqlText
from hnm.warehouse.query import query as run_query
from hnm.warehouse.state import Materialization
from hnm.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.engine.run import Listener


class SilentListener(SilentReporter):
    """Watches a run and shows nothing."""

    def started(self, entry: Entry, index: int, total: int) -> None:
        """Nothing to show."""

    def finished(self, result: StageResult, index: int, total: int) -> None:
        """Nothing to show."""


@dataclass(frozen=True)
class Project:
    """A parsed project for one target.

    >>> project = Project.load(".")
    >>> project.run(project.plan(select=["+negatives"]))
    >>> project.query("select * from negative_quality")
    """

    manifest: Manifest

    @classmethod
    def load(
        cls, path: str | Path = ".", target: str | None = None, variables: Mapping[str, Any] | None = None
    ) -> "Project":
        """The project at `path` or in a folder above it. Raises ProjectError when it is not as it should be."""
        project = cls(load_project(find_root(Path(path)), target, variables))
        _ = project.graph  # a circle is an error of the project, wherever it is used
        return project

    @cached_property
    def graph(self) -> Graph:
        nodes = self.manifest.nodes
        return Graph(
            {name: node.depends_on for name, node in nodes.items()}, {name: node.where for name, node in nodes.items()}
        )

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.manifest.warehouse)

    @property
    def settings(self) -> Settings:
        import os

        given = self.manifest.settings
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return Settings(given.device, given.threads or cores, given.memory_limit, given.precision)

    def node(self, name: str) -> Node:
        """The node of that name. Raises SelectorError with the nearest name."""
        if name not in self.manifest.nodes:
            hint = nearest(name, self.manifest.nodes) or "`hnm ls` lists all"
            raise SelectorError(f"there is no stage {name!r}", hint=hint)
        return self.manifest.nodes[name]

    def compiled(self, name: str) -> str:
        """The SQL of a stage as DuckDB will see it. Raises SelectorError when it is no SQL stage."""
        work = self.node(name).work
        if not isinstance(work, SqlText):
            raise SelectorError(f"{name!r} is not a SQL stage", hint="`hnm ls --select kind:sql` lists them")
        return work.compiled

    def write_compiled(self) -> list[Path]:
        """Write all compiled SQL to target/compiled/, where people can read it."""
        written = []
        for node in self.manifest.nodes.values():
            if isinstance(node.work, SqlText):
                path = compiled_path(self.manifest.root, node.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(node.work.compiled, encoding="utf-8")
                written.append(path)
        return written

    def state(self) -> dict[str, Materialization]:
        """What is built, by node."""
        return self.warehouse.state()

    def select(self, chosen: Iterable[str] = (), excluded: Iterable[str] = ()) -> tuple[str, ...]:
        """Names of the selected nodes in the order in which they run. Raises SelectorError."""
        return select(self.manifest.nodes, self.graph, self.manifest.root, chosen, excluded)

    def plan(self, select: Iterable[str] = (), exclude: Iterable[str] = (), full_refresh: bool = False) -> Plan:
        """What a run of the selected nodes would do, and why. Touches nothing."""
        names = self.select(select, exclude)
        state = self.state()
        components, facts = {}, {}
        for name in names:
            node = self.manifest.nodes[name]
            files = file_facts(node, self.manifest.root, state[name].facts if name in state else {})
            components[name] = own_components(node, self.manifest) | file_components(files)
            facts[name] = {FACT: files} if files else {}
        return make_plan(self.manifest.nodes, names, components, state, full_refresh, facts)

    def run(self, plan: Plan | None = None, listener: "Listener | None" = None) -> RunResult:
        """Execute a plan (by default that of the whole project); failures are in the result, not raised.

        Raises LockedError when another run holds the warehouse.
        """
        self.write_compiled()
        return execute(plan or self.plan(), self.manifest, self.settings, listener or SilentListener())

    def query(self, sql: str, values: Iterable[Any] = ()) -> "pa.Table":
        """Rows of a read-only query over all tables, Lance tables included. Raises QueryError."""
        with run_query(self.warehouse, sql, list(values)) as rows:
            return rows.read_all()

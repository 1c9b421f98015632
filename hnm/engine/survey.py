"""What is known of a project before anything runs: its state, and what each node would be built from now."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from hnm.dataset.pinned import pinned_versions
from hnm.engine.files import FACT, file_components, file_facts
from hnm.engine.fingerprint import Components, own_components, without_inputs
from hnm.engine.plan import SQL_FACT, Plan, make_plan
from hnm.engine.selectors import Labels, Method
from hnm.errors import SourceError
from hnm.masking import mask_error
from hnm.project.graph import Graph
from hnm.project.manifest import Manifest, SqlText
from hnm.warehouse.history import find_run, stage_records
from hnm.warehouse.state import Materialization
from hnm.warehouse.versions import Versions
from hnm.warehouse.warehouse import Warehouse

_IN_DBT = {"built": "success", "fresh": "success", "failed": "error", "blocked": "skipped", "planned": "skipped"}
"""dbt's words for what a run did with a stage; ours are understood as well."""


class Survey:
    """Looks at files and warehouse when first asked, and once: a plan and the selectors in it see the same."""

    def __init__(self, manifest: Manifest, graph: Graph, run: str | None = None) -> None:
        """`run`: the recorded run that `result:` is about, as the beginning of its id; the last one when None."""
        self.manifest = manifest
        self.graph = graph
        self.run = run
        self.warehouse = Warehouse(manifest.warehouse)
        self._own: dict[str, tuple[Components, Mapping[str, Any]]] = {}

    @cached_property
    def _snapshot(self) -> tuple[dict[str, Materialization], Versions]:
        return self.warehouse.snapshot()

    @property
    def state(self) -> dict[str, Materialization]:
        return self._snapshot[0]

    @property
    def versions(self) -> Versions:
        """What was ever published."""
        return self._snapshot[1]

    def components(self, name: str) -> Components:
        """All that a node depends on now, but its inputs. Raises SourceError when a file that it reads is missing."""
        return self._look(name)[0]

    def state_with_pinned(self, names: Iterable[str]) -> dict[str, Materialization]:
        """The state, and the versions to which these nodes are pinned. Raises WarehouseError where there is none."""
        return self.state | pinned_versions((self.manifest.nodes[name] for name in names), self.warehouse)

    def plan(self, names: Iterable[str], full_refresh: bool = False) -> Plan:
        """What a run of these nodes would do. Raises WarehouseError when one is pinned to a version there is not."""
        chosen = tuple(names)
        own = {name: self._look(name) for name in chosen}
        components = {name: known for name, (known, _) in own.items()}
        facts = {name: facts for name, (_, facts) in own.items()}
        state = self.state_with_pinned(chosen)
        return make_plan(self.manifest.nodes, chosen, components, state, full_refresh, facts, self.versions)

    @property
    def methods(self) -> Mapping[str, Method]:
        """Selector methods that need to know more than the project's files."""
        names = frozenset(self.manifest.nodes)
        return {
            "state": Method(lambda: dict(self._changed()), frozenset({"new", "modified"})),
            "stale": Method(self._stale, names, default="*"),
            "result": Method(self._results, frozenset({*_IN_DBT, *_IN_DBT.values()})),
        }

    def _look(self, name: str) -> tuple[Components, Mapping[str, Any]]:
        if name not in self._own:
            node = self.manifest.nodes[name]
            before = self.state[name].facts if name in self.state else {}
            try:
                files = file_facts(node, self.manifest.root, before)
            except SourceError as error:
                error.where = error.where or node.where
                mask_error(error, node.env_read.values())
                raise
            components = own_components(node, self.manifest) | file_components(files)
            facts = {SQL_FACT: node.work.template} if isinstance(node.work, SqlText) else {}
            self._own[name] = components, facts | ({FACT: files} if files else {})
        return self._own[name]

    def _changed(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for name in self._wanted(self.manifest.nodes):
            done = self.state.get(name)
            if done is None:
                yield name, ("new", "modified")
            elif without_inputs(done.components) != self.components(name):
                yield name, ("modified",)

    def _stale(self) -> Labels:
        names = self._wanted(self.graph.order)
        return {entry.node.name: (entry.node.name,) for entry in self.plan(names).stale()}

    def _wanted(self, names: Iterable[str]) -> list[str]:
        """Those that somebody wants: what is on demand and was never built is neither new nor stale."""
        nodes = self.manifest.nodes
        return [name for name in names if name in self.state or not nodes[name].config.on_demand]

    def _results(self) -> Labels:
        with self.warehouse.database.reading() as connection:
            records = stage_records(connection, find_run(connection, self.run))
        known = {name: record.status for name, record in records.items() if name in self.manifest.nodes}
        return {name: (status, _IN_DBT.get(status, status)) for name, status in known.items()}

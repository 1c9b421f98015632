"""What a run will do and why, decided before anything is touched. Pure: `hnm run` executes this same object."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hnm.engine.fingerprint import Components, differences, input_components, input_versions, without_inputs
from hnm.project.manifest import Node
from hnm.warehouse.state import Materialization
from hnm.warehouse.versions import Versions

SQL_FACT = "sql"
"""Fact of a SQL stage: its text as written when it was built, so that a later change can be shown line by line."""

Status = Literal["fresh", "run", "check", "blocked"]


@dataclass(frozen=True)
class Entry:
    """One node of a plan.

    `status`: fresh (nothing to do), run, check (runs if the content of an input that runs before it changes), or
    blocked (an input was never built and is not selected). `components`: all that it depends on but its inputs.
    `pinned`: the versions of Lance stages that it reads whatever is current.
    `facts`: what was learned of it while planning and is kept with it (sizes and times of the files it reads).
    `rows`: how many of its inputs' rows it will process, where that is known: all of them, or where it follows changes
    those that changed.
    """

    node: Node
    status: Status
    reasons: tuple[str, ...]
    components: Components
    pinned: Mapping[str, Materialization] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    full_refresh: bool = False
    rows: int | None = None

    @property
    def reason(self) -> str:
        return "; ".join(self.reasons)


@dataclass(frozen=True)
class Plan:
    """Entries in the order in which they run."""

    entries: tuple[Entry, ...]

    def stale(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.status != "fresh")


def make_plan(
    nodes: Mapping[str, Node],
    selected: Iterable[str],
    components: Mapping[str, Components],
    state: Mapping[str, Materialization],
    full_refresh: bool = False,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    versions: Versions | None = None,
) -> Plan:
    """Plan the `selected` nodes, given in topological order.

    `components`: for each selected node, all that it depends on but its inputs. `state`: what is built, and
    the versions to which these nodes are pinned. `facts`: see `Entry`. `versions`: what is known of data versions.
    """
    known = versions or Versions()
    status: dict[str, Status] = {}
    entries = []
    for name in selected:
        entry = _entry(nodes[name], components[name], status, state, full_refresh, known)
        if entry.status == "run" and all(status.get(parent, "fresh") == "fresh" for parent in nodes[name].depends_on):
            entry = replace(entry, rows=_rows(entry, state, full_refresh, known))
        status[name] = entry.status
        pinned = {reference: state[reference] for reference in nodes[name].pinned}
        known_facts = (facts or {}).get(name, {})
        entries.append(replace(entry, pinned=pinned, facts=known_facts, full_refresh=full_refresh))
    return Plan(tuple(entries))


def _entry(
    node: Node,
    components: Components,
    above: Mapping[str, Status],
    state: Mapping[str, Materialization],
    full_refresh: bool,
    versions: Versions,
) -> Entry:
    old = state.get(node.name)
    missing = [name for name in node.depends_on if name not in above and name not in state]
    waiting = [name for name in node.depends_on if above.get(name, "fresh") != "fresh"]
    if missing or any(above.get(name) == "blocked" for name in waiting):
        causes = missing or [name for name in waiting if above[name] == "blocked"]
        return Entry(node, "blocked", (f"needs {', '.join(causes)}, never built and not selected",), components)
    if old is None:
        return Entry(node, "run", ("never built",), components)
    if full_refresh:
        return Entry(node, "run", ("--full-refresh",), components)
    own = differences(without_inputs(old.components), components)
    if own:
        return Entry(node, "run", tuple(own), components)
    if waiting:
        return Entry(node, "check", (f"after {', '.join(waiting)}",), components)
    changed = differences(old.components, complete(node, components, state), versions, node.reads)
    return Entry(node, "run" if changed else "fresh", tuple(changed), components)


def _rows(entry: Entry, state: Mapping[str, Materialization], full_refresh: bool, versions: Versions) -> int | None:
    """How many input rows an entry will process whose inputs are all built."""
    node, old = entry.node, state.get(entry.node.name)
    if not node.reads:
        return None
    if old and not full_refresh and node.follows_changes and without_inputs(old.components) == entry.components:
        before = input_versions(old.components)
        steps = [(before.get(name, ""), state[reference].data_version) for reference, name in node.reads.items()]
        changed = [versions.changes.get(step) for step in steps if step[0] != step[1]]
        return None if None in changed else sum(change.total for change in changed if change)
    return sum(state[reference].row_count for reference in node.reads)


def complete(node: Node, components: Components, state: Mapping[str, Materialization]) -> Components:
    """All components of a node, its inputs' data versions as they are in `state`."""
    return components | input_components(
        {name: state[reference].data_version for reference, name in node.reads.items()}
    )

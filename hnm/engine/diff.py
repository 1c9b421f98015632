"""What differs: between the last good state and what a plan would build, or between the states two runs left. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Literal

from hnm.engine.fingerprint import Components, changed_components, differences, input_components
from hnm.engine.plan import SQL_FACT, Entry, Plan
from hnm.project.manifest import SqlText
from hnm.warehouse.state import Materialization, StageRecord
from hnm.warehouse.versions import Versions


@dataclass(frozen=True)
class Change:
    """One component that differs; None on the side that has none, or does not have it yet."""

    component: str
    before: str | None
    after: str | None
    words: str


@dataclass(frozen=True)
class StageDiff:
    """What differs in one stage. Row counts are None where the stage was not built, or is still to be built.

    `sql`: the change of its SQL as a unified diff, empty where it is the same or unknown.
    """

    stage: str
    status: Literal["new", "changed", "after its inputs", "blocked", "gone"]
    changes: tuple[Change, ...]
    rows_before: int | None = None
    rows_after: int | None = None
    sql: str = ""


def diff_plan(plan: Plan, state: Mapping[str, Materialization], versions: Versions) -> tuple[StageDiff, ...]:
    """What the stages of a plan that are not fresh would be built from now, against what they were built from."""
    stale = {entry.node.name for entry in plan.stale()}
    return tuple(_diff_entry(entry, stale, state, versions) for entry in plan.stale())


def diff_runs(
    before: Mapping[str, StageRecord], after: Mapping[str, StageRecord], versions: Versions
) -> tuple[StageDiff, ...]:
    """How two states differ, each given as the record of every stage's last build."""
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        changes = _changes(old.components if old else {}, new.components if new else {}, versions)
        counts = old.row_count if old else None, new.row_count if new else None
        if old is None or new is None:
            found.append(StageDiff(name, "gone" if new is None else "new", (), *counts))
        elif changes or counts[0] != counts[1]:
            found.append(StageDiff(name, "changed", changes, *counts))
    return tuple(found)


def _diff_entry(entry: Entry, stale: set[str], state: Mapping[str, Materialization], versions: Versions) -> StageDiff:
    node, old = entry.node, state.get(entry.node.name)
    if old is None:
        words = Change("stage", None, None, entry.reason)
        return StageDiff(node.name, "blocked" if entry.status == "blocked" else "new", (words,))
    waiting = [name for name in node.depends_on if name in stale]
    built = {**state, **entry.pinned}
    settled = {
        name: built[reference].data_version
        for reference, name in node.reads.items()
        if reference in built and reference not in waiting
    }
    known = {name: value for name, value in old.components.items() if not _waits(name, waiting)}
    changes = [
        *_changes(known, entry.components | input_components(settled), versions, node.reads),
        *(_pending(name, old.components.get(f"input {name}"), state.get(name)) for name in waiting),
    ]
    if entry.full_refresh:
        changes.insert(0, Change("stage", None, None, "--full-refresh"))
    if entry.status == "blocked":
        changes.append(Change("stage", None, None, entry.reason))
    status: Literal["changed", "after its inputs", "blocked"] = "changed"
    if entry.status in ("check", "blocked"):
        status = "after its inputs" if entry.status == "check" else "blocked"
    return StageDiff(node.name, status, tuple(changes), old.row_count, None, _diff_sql(entry, old))


def _changes(
    old: Mapping[str, str], new: Mapping[str, str], versions: Versions, reads: Mapping[str, str] | None = None
) -> tuple[Change, ...]:
    return tuple(
        Change(name, old.get(name), new.get(name), differences(_only(old, name), _only(new, name), versions, reads)[0])
        for name in changed_components(old, new)
    )


def _only(components: Mapping[str, str], name: str) -> Components:
    return {name: components[name]} if name in components else {}


def _waits(component: str, waiting: list[str]) -> bool:
    return component in input_components(dict.fromkeys(waiting, ""))


def _pending(name: str, before: str | None, done: Materialization | None) -> Change:
    now = f"{done.row_count:,} rows now" if done else "never built"
    return Change(f"input {name}", before, None, f"input {name} is brought up to date first ({now})")


def _diff_sql(entry: Entry, old: Materialization) -> str:
    before = old.facts.get(SQL_FACT)
    if not isinstance(entry.node.work, SqlText) or before is None or before == entry.node.work.template:
        return ""
    name = entry.node.work.path.name
    lines = unified_diff(
        str(before).splitlines(), entry.node.work.template.splitlines(), f"{name} (as built)", name, n=1, lineterm=""
    )
    return "\n".join(lines)

"""Execute a plan: node by node, each built aside, checked and published; a failure skips only its descendants."""

import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from hnm.context import Context, NamingReporter, Reporter, Settings
from hnm.engine.budget import CoreBudget, share
from hnm.engine.build import build
from hnm.engine.data_tests import Failure
from hnm.engine.failures import log_failure, system_failures
from hnm.engine.fingerprint import differences
from hnm.engine.job import Job
from hnm.engine.memory import PeakMemory
from hnm.engine.plan import Entry, Plan, complete
from hnm.engine.publish import publish
from hnm.engine.schedule import scheduled
from hnm.engine.testing import refused_stages
from hnm.engine.unfinished import begun, marker
from hnm.errors import HnmError, StageError
from hnm.masking import mask_error
from hnm.project.manifest import Call, Manifest, Node
from hnm.warehouse.history import Run, write_run
from hnm.warehouse.lock import run_lock
from hnm.warehouse.state import Materialization, StageRecord, now
from hnm.warehouse.versions import Versions
from hnm.warehouse.warehouse import Warehouse

Outcome = Literal["built", "fresh", "failed", "skipped", "blocked"]


@dataclass(frozen=True)
class StageResult:
    """What a run did with one node. `built`: its new state, where it was built."""

    name: str
    outcome: Outcome
    reason: str
    row_count: int | None = None
    seconds: float = 0.0
    error: HnmError | None = None
    warnings: tuple[Failure, ...] = ()
    quarantined: int = 0
    built: Materialization | None = None


@dataclass
class RunResult:
    """What a run did, node by node."""

    invocation_id: str
    results: list[StageResult] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return all(result.outcome in ("built", "fresh") for result in self.results)


@dataclass(frozen=True)
class Invocation:
    """One call of the tool that runs a plan. `command`: what was asked for, without vars; kept with the run.

    `unit_tests`: run those of the planned stages first; a stage that fails one is not built. `threads`: stages to build
    at the same time, each after what it is built from; as the settings say when None.
    """

    command: str = "run"
    fail_fast: bool = False
    unit_tests: bool = False
    threads: int | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Listener(Reporter, Protocol):
    """Whoever watches a run."""

    def started(self, entry: Entry, index: int, total: int) -> None: ...

    def finished(self, result: StageResult, index: int, total: int) -> None: ...


def execute(
    plan: Plan, manifest: Manifest, settings: Settings, listener: Listener, invocation: Invocation
) -> RunResult:
    """Run every entry of `plan` in its order. Raises LockedError when another run holds the warehouse."""
    warehouse = Warehouse(manifest.warehouse)
    run = RunResult(invocation_id=invocation.id)
    if not plan.entries:
        return run
    began = time.monotonic()
    with run_lock(warehouse.folder, f"hnm {invocation.command}"):
        known, versions = warehouse.snapshot()
        state = known | {name: done for entry in plan.entries for name, done in entry.pinned.items()}
        planned = {entry.node.name for entry in plan.entries} if invocation.unit_tests else set()
        tests = [test for test in manifest.unit_tests if test.stage in planned]
        refused = refused_stages(tests, manifest.root, settings, listener)
        executor = _Executor(plan, manifest, warehouse, settings, listener, state, versions, run, invocation, refused)
        with _recorded(warehouse, run, invocation, manifest.target, plan, listener):
            for result in scheduled(plan, executor.start, executor.run, executor.threads):
                executor.settle(result)
    run.seconds = time.monotonic() - began
    return run


@dataclass
class _Executor:
    """`start` and `settle` are called in one thread; `run` in any, once for each entry, between the two."""

    plan: Plan
    manifest: Manifest
    warehouse: Warehouse
    settings: Settings
    listener: Listener
    state: dict[str, Materialization]
    versions: Versions
    run_result: RunResult
    invocation: Invocation
    refused: Mapping[str, HnmError]
    broken: set[str] = field(default_factory=set)
    failed: str | None = None
    started: int = 0

    def __post_init__(self) -> None:
        self.entries = {entry.node.name: entry for entry in self.plan.entries}
        self.budget = CoreBudget(self.settings.cores)
        self.threads = self.invocation.threads or self.manifest.settings.threads

    def start(self, name: str) -> None:
        """Tell that an entry is next."""
        self.started += 1
        self.listener.started(self.entries[name], self.started, len(self.entries))

    def settle(self, result: StageResult) -> None:
        """Take a result into account for what comes after it."""
        if result.error:
            self.failed = self.failed or result.name
        if result.outcome not in ("built", "fresh"):
            self.broken.add(result.name)
        self.run_result.results.append(result)
        self.listener.finished(result, len(self.run_result.results), len(self.entries))

    def run(self, name: str, among: int) -> StageResult:
        """Decide, build and publish one entry, one of so many that share the machine; whatever happens is a result."""
        entry = self.entries[name]
        began = time.monotonic()
        try:
            return self._result(entry, among)
        except HnmError as error:
            mask_error(error, self.manifest.secrets)
            log_failure(self.manifest.root, self.run_result.invocation_id, error, self.manifest.secrets)
            return StageResult(name, "failed", error.what, seconds=time.monotonic() - began, error=error)

    def _result(self, entry: Entry, among: int) -> StageResult:
        name = entry.node.name
        if name in self.refused:
            raise self.refused[name]
        if entry.status == "blocked":
            return StageResult(name, "blocked", entry.reason)
        above = [parent for parent in entry.node.depends_on if parent in self.broken]
        if above:
            return StageResult(name, "skipped", f"{', '.join(above)} did not succeed")
        if self.failed and self.invocation.fail_fast and entry.status != "fresh":
            return StageResult(name, "skipped", f"{self.failed} failed, and --fail-fast stops there")
        needed = entry.node.depends_on if entry.status == "run" else (*entry.node.depends_on, name)
        gone = [node for node in needed if node not in self.state]
        if gone:
            what = f"{name}: {', '.join(gone)} went from the warehouse since the run was planned"
            raise StageError(what, hint="run again")
        components = complete(entry.node, entry.components, self.state)
        reason = entry.reason
        if entry.status == "check":
            known = self.state[name].components
            if known == components:
                return StageResult(name, "fresh", "inputs unchanged", self.state[name].row_count)
            reason = "; ".join(differences(known, components, self.versions, entry.node.reads))
        if entry.status == "fresh":
            return StageResult(name, "fresh", "unchanged", self.state[name].row_count)
        settings = self._settings(entry.node, among)
        with self.budget.taking(settings.cores):
            return self._build(entry, components, reason, settings)

    def _settings(self, node: Node, among: int) -> Settings:
        """All of the machine for a stage that spreads its work itself; otherwise its share of it."""
        alone = isinstance(node.work, Call) and node.work.transform.uses == "all"
        return self.settings if alone else share(self.settings, among)

    def _build(self, entry: Entry, components: dict[str, str], reason: str, settings: Settings) -> StageResult:
        node, began = entry.node, time.monotonic()
        with system_failures(node.name), PeakMemory() as memory:
            job = self._job(entry, components, settings)
            built = build(job)
            checked = built.checked
            if built.touched is not None:
                reason = f"{reason} ({built.touched:,} keys)"
            seconds = time.monotonic() - began
            record = StageRecord(
                node.name,
                "built",
                reason,
                checked.row_count,
                seconds,
                fingerprint=job.fingerprint,
                components=components,
            )
            done = publish(job, checked, built.placed, self.run_result.invocation_id, record, memory)
        old = self.state.get(node.name)
        self.versions.add(done.data_version, done.row_count, old.data_version if old else None, checked.changes)
        self.state[node.name] = done
        bad = job.context.bad_row_count
        return StageResult(
            node.name, "built", reason, done.row_count, time.monotonic() - began, None, checked.warnings, bad, done
        )

    def _job(self, entry: Entry, components: dict[str, str], settings: Settings) -> Job:
        node = entry.node
        folder = self.warehouse.folder / "work" / node.name
        reporter = self.listener if self.threads == 1 else NamingReporter(self.listener, node.name)
        context = Context(node.name, self.manifest.root, folder / "state", settings, reporter)
        context.facts.update(entry.facts)
        job = Job(
            node=node,
            components=components,
            state=self.state,
            warehouse=self.warehouse,
            settings=settings,
            context=context,
            folder=folder,
            compiled=compiled_path(self.manifest.root, node.name),
            unique_keys={name: known.config.key for name, known in self.manifest.nodes.items()},
            full_refresh=entry.full_refresh,
            published=self.versions.numbers.get(node.name, 0),
        )
        _prepare(job)
        return job


def compiled_path(root: Path, name: str) -> Path:
    """Where people can read the compiled SQL of a stage."""
    return root / "target" / "compiled" / f"{name}.sql"


def _prepare(job: Job) -> None:
    """An empty folder to build in; what an interrupted build of the same fingerprint kept in `state/` stays."""
    if begun(job.folder) != job.fingerprint:
        shutil.rmtree(job.folder, ignore_errors=True)
    job.context.workdir.mkdir(parents=True, exist_ok=True)
    marker(job.folder).write_text(job.fingerprint, encoding="utf-8")
    for leftover in job.folder.glob("*.duckdb*"):
        leftover.unlink()


@contextmanager
def _recorded(
    warehouse: Warehouse, run: RunResult, invocation: Invocation, target: str, plan: Plan, reporter: Reporter
) -> Iterator[None]:
    """Keep the run in the history tables: from its start if it has anything to do, and also when it is interrupted."""
    from hnm import __version__

    record = Run(invocation.id, invocation.command, target, now(), None, "running", __version__)
    planned = [StageRecord(entry.node.name, "planned", entry.reason) for entry in plan.stale()]
    if planned:
        with warehouse.database.writing() as connection:
            write_run(connection, record, planned)
    status = "interrupted"
    try:
        yield
        status = "success" if run.ok else "failed"
    finally:
        # What was built recorded itself when it was published.
        done = [_stage_record(result) for result in run.results if result.outcome != "built"]
        try:
            with warehouse.database.writing() as connection:
                write_run(connection, replace(record, finished_at=now(), status=status), done)
        except HnmError as error:  # what happened counts more than the record of it
            reporter.note(f"the end of the run is not recorded: {error.what}")


def _stage_record(result: StageResult) -> StageRecord:
    message = str(result.error) if result.error else ""
    return StageRecord(result.name, result.outcome, result.reason, result.row_count, result.seconds, message=message)

"""A project in Python; the command line is a thin layer over this."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.context import Settings, SilentReporter
from hnm.engine.artifacts import manifest_artifact, write_json
from hnm.engine.plan import Entry, Plan
from hnm.engine.records import recorded_on_disk
from hnm.engine.retry import Retry, retry
from hnm.engine.run import Invocation, RunResult, StageResult, compiled_path, execute
from hnm.engine.selectors import select
from hnm.engine.survey import Survey
from hnm.engine.testing import Verdict, run_data_tests, run_unit_tests
from hnm.errors import SelectorError, nearest
from hnm.lineage import lineage
from hnm.masking import masked
from hnm.project.graph import Graph, graph_of
from hnm.project.load import load_project
from hnm.project.manifest import Manifest, Node, SqlText
from hnm.project.root import find_root
from hnm.warehouse.history import built_until, find_run
from hnm.warehouse.query import query as run_query
from hnm.warehouse.state import Materialization
from hnm.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.dataset.reading import Dataset
    from hnm.engine.collect import Collection
    from hnm.engine.diff import StageDiff
    from hnm.engine.run import Listener
    from hnm.engine.run_log import LogLevel
    from hnm.explained import Story
    from hnm.search.searcher import Searcher
    from hnm.trained import TrainedModel


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
        return cls(load_project(find_root(Path(path)), target, variables))

    @cached_property
    def graph(self) -> Graph:
        return graph_of(self.manifest.nodes)

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.manifest.warehouse)

    @property
    def settings(self) -> Settings:
        import os

        given = self.manifest.settings
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return Settings(given.device, given.cores or cores, given.memory_limit, given.precision)

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
        return masked(work.compiled, self.node(name).env_read.values())

    def write_compiled(self) -> list[Path]:
        """Write all compiled SQL to target/compiled/, where people can read it."""
        written = []
        for node in self.manifest.nodes.values():
            if isinstance(node.work, SqlText):
                path = compiled_path(self.manifest.root, node.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(masked(node.work.compiled, node.env_read.values()), encoding="utf-8")
                written.append(path)
        return written

    def state(self) -> dict[str, Materialization]:
        """What is built, by node."""
        return self.warehouse.state()

    def write_manifest(self) -> Path:
        """Write target/manifest.json, which readers of dbt's artifacts understand."""
        path = self.manifest.root / "target" / "manifest.json"
        write_json(path, manifest_artifact(self.manifest))
        return path

    def survey(self, run: str | None = None) -> Survey:
        """What is known of the project at this moment. `run`: the recorded run that `result:` and `retry` are about."""
        return Survey(self.manifest, self.graph, run)

    def select(
        self, chosen: Iterable[str] = (), excluded: Iterable[str] = (), survey: Survey | None = None
    ) -> tuple[str, ...]:
        """Names of the selected nodes in the order in which they run. Raises SelectorError."""
        manifest, methods = self.manifest, (survey or self.survey()).methods
        named = manifest.config.selectors
        chosen, excluded = _names(chosen), _names(excluded)
        return select(manifest.nodes, self.graph, manifest.root, chosen, excluded, methods=methods, named=named)

    def plan(
        self,
        select: Iterable[str] = (),
        exclude: Iterable[str] = (),
        full_refresh: bool = False,
        state_run: str | None = None,
    ) -> Plan:
        """What a run of the selected nodes would do, and why. Touches nothing.

        `state_run`: the beginning of the id of the run that `result:` is about; by default the last one.
        """
        survey = self.survey(state_run)
        return survey.plan(self.select(select, exclude, survey), full_refresh)

    def outdated(self, names: Iterable[str]) -> list[str]:
        """Those of these stages that are built, but from other data or settings than there are now.

        Raises SourceError when a file that is read above them is missing.
        """
        survey = self.survey()
        wanted = set(_names(names)) & survey.state.keys()
        built = [name for name in self.graph.order if name in wanted]
        above = {name for one in built for name in (one, *self.graph.ancestors(one))}
        stale = {entry.node.name for entry in survey.plan(name for name in self.graph.order if name in above).stale()}
        return [name for name in built if name in stale]

    def unit_tests(self, select: Iterable[str] = (), exclude: Iterable[str] = ()) -> Iterator[Verdict]:
        """Run the unit tests of the selected stages, one after the other, in a database in memory."""
        names = self.select(select, exclude)
        tests = (test for name in names for test in self.manifest.unit_tests if test.stage == name)
        return self._shown(run_unit_tests(tests, self.manifest.root, self.settings))

    def data_tests(self, select: Iterable[str] = (), exclude: Iterable[str] = ()) -> Iterator[Verdict]:
        """Hold the published tables of the selected stages to their contracts and data tests, stage by stage.

        Keeps the failing rows, and writes nothing else. Raises WarehouseError when the warehouse cannot be read.
        """
        nodes = [self.manifest.nodes[name] for name in self.select(select, exclude)]
        return self._shown(run_data_tests(nodes, self.warehouse, self.state(), self.settings))

    def _shown(self, verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
        return (verdict.without(self.manifest.secrets) for verdict in verdicts)

    def retry(self, run: str | None = None) -> Retry:
        """What is left to do of a recorded run, by default the last: what failed, was skipped or not reached."""
        return retry(self.survey(run))

    def run(
        self,
        plan: Plan | None = None,
        listener: "Listener | None" = None,
        invocation: Invocation | None = None,
        log_level: "LogLevel" = "info",
    ) -> RunResult:
        """Execute a plan (by default that of the whole project); failures are in the result, not raised.

        `log_level`: what target/logs/ keeps of it. Raises LockedError when another run holds the warehouse.
        """
        made, call = plan or self.plan(), invocation or Invocation()
        self.write_compiled()
        with (
            recorded_on_disk(self.manifest, made, listener or SilentListener(), call, log_level) as log,
            lineage(self.manifest, log, call) as told,
        ):
            return execute(made, self.manifest, self.settings, told, call)

    def diff(
        self, select: Iterable[str] = (), exclude: Iterable[str] = (), state_run: str | None = None
    ) -> "tuple[StageDiff, ...]":
        """What a run of the selected nodes would change against the last good state."""
        from hnm.engine.diff import diff_plan

        survey = self.survey(state_run)
        plan = survey.plan(self.select(select, exclude, survey))
        return diff_plan(plan, survey.state, survey.versions)

    def diff_runs(self, before: str, after: str) -> "tuple[StageDiff, ...]":
        """How the states differ that two recorded runs left, each given by the beginning of its id."""
        from hnm.engine.diff import diff_runs

        with self.warehouse.database.reading() as connection:
            old, new = (built_until(connection, find_run(connection, run)) for run in (before, after))
        return diff_runs(old, new, self.warehouse.versions())

    def gc(
        self,
        keep: int = 1,
        removed_stages: bool = False,
        dry_run: bool = True,
        variables: Mapping[str, Any] | None = None,
    ) -> "Collection":
        """What nothing needs any more: listed, and removed unless `dry_run`. Raises LockedError while a run goes on.

        `keep`: newest published versions of each stage that stay. `variables`: as given to `load`, for the other
        targets that share the warehouse.
        """
        from hnm.engine.collect import collect, look

        manifest = self.manifest
        sharing = [
            Project.load(manifest.root, name, variables)
            for name, target in manifest.config.targets.items()
            if name != manifest.target and (manifest.root / target.warehouse).resolve() == manifest.warehouse
        ]
        surveys = [project.survey() for project in (self, *sharing)]
        return look(surveys, keep) if dry_run else collect(surveys, keep, removed_stages)

    def query(self, sql: str, values: Iterable[Any] = ()) -> "pa.Table":
        """Rows of a read-only query over all tables, Lance tables included. Raises QueryError."""
        with run_query(self.warehouse, sql, list(values), self.settings, self.manifest.nodes) as rows:
            return rows.read_all()

    def explain(self, query_id: str, limit: int | None = 10) -> "Story":
        """One query's story: positives, candidates, rules, negatives, evaluation. `limit`: candidates of each positive.

        Raises QueryError when there is no such query.
        """
        from hnm.explain import explain

        return explain(self, query_id, limit=limit)

    def searcher(
        self, retrievers: Iterable[str] | None = None, model: str | None = None, depth: int = 30
    ) -> "Searcher":
        """A search over the corpus, loaded once: for an application, see docs/search.md.

        `retrievers`: by name; by default those of the var `retrievers` that can search. `model`: the reranker, a stage
        or what `rerank` calls its result; by default the trained one that was evaluated best, else the start.
        `depth`: documents that it reranks; 0 for none.

        Raises QueryError when something is not built, SelectorError for an unknown name, ModelError for a model that
        cannot be had.
        """
        from hnm.search.open import open_searcher

        return open_searcher(self, None if retrievers is None else _names(retrievers), model, depth)

    def dataset(
        self,
        stage: str = "triplets",
        version: str | None = None,
        strategies: Iterable[str] = (),
        splits: Iterable[str] = (),
        where: str | None = None,
    ) -> "Dataset":
        """A version of a Lance stage to read: `.arrow()`, `.reader()`, `.polars()`, `.torch()`, `.huggingface()`.

        `version`: a tag, a number or the beginning of a digest; by default the current one. `strategies`, `splits`,
        `where` (a condition in DuckDB's SQL): the rows that count, by default all. Raises WarehouseError when there is
        no such version.
        """
        from hnm.dataset.find import find
        from hnm.dataset.reading import Dataset
        from hnm.dataset.selection import Selection

        found = find(self.warehouse, stage, version)
        selection = Selection(_names(strategies), _names(splits), where)
        return Dataset(found, selection, self.settings, self.manifest.root / "target" / "datasets")

    def models(self) -> "list[TrainedModel]":
        """The built models, the newest first, with their versions and what was measured of them."""
        from hnm.trained import trained_models

        return trained_models(self)


def _names(given: Iterable[str]) -> tuple[str, ...]:
    """Names as they are given: one without a list around it is one name, and not one per letter."""
    return (given,) if isinstance(given, str) else tuple(given)

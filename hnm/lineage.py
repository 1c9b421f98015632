"""Tell an OpenLineage backend, or a file, what a run reads and makes: https://openlineage.io/docs/spec/object-model.

A run is a job with the project's name, and each stage that it builds is one with the run as its parent. A stage that is
fresh sends nothing. Whatever goes wrong with sending never stops a run: it is told once, and no more is sent.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hnm.context import Advance
from hnm.engine.files import FACT
from hnm.engine.plan import Entry
from hnm.engine.run import Invocation, Listener, StageResult
from hnm.errors import ProjectError
from hnm.masking import masked
from hnm.project.manifest import Manifest, SqlText
from hnm.project.references import stage_of
from hnm.warehouse.state import Materialization, now
from hnm.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run
    from openlineage.client.transport.transport import Transport

API_KEY = "OPENLINEAGE_API_KEY"
"""The environment variable with the key of the backend at `url`; the name is OpenLineage's own."""

PRODUCER = "https://pypi.org/project/hnm"
SECONDS = 5


@contextmanager
def lineage(manifest: Manifest, listener: Listener, invocation: Invocation) -> Iterator[Listener]:
    """A listener that hands everything on to `listener`, and tells it where project.yml asks for `lineage`.

    Raises ProjectError when the extra is not installed.
    """
    if manifest.config.lineage is None:
        yield listener
        return
    teller = Teller(listener, manifest, invocation, _transport(manifest))
    try:
        yield teller
    except BaseException:
        teller.close(interrupted=True)
        raise
    teller.close()


@dataclass
class Teller:
    """Sends START when a stage begins to be built, and COMPLETE, FAIL or ABORT when it ends."""

    inner: Listener
    manifest: Manifest
    invocation: Invocation
    transport: "Transport | None"
    state: dict[str, Materialization] = field(default_factory=dict)
    begun: dict[str, tuple["Run", "Job"]] = field(default_factory=dict)
    entries: dict[str, tuple[Entry, str]] = field(default_factory=dict)
    outcomes: set[str] = field(default_factory=set)

    def started(self, entry: Entry, index: int, total: int) -> None:
        if not self.entries:
            self.state = Warehouse(self.manifest.warehouse).state()
            self._send("START", now(), self._run(self.invocation.id), self._job(self.manifest.config.name))
        self.entries[entry.node.name] = entry, now()
        if entry.status == "run":
            self._begin(entry.node.name)
        self.inner.started(entry, index, total)

    def finished(self, result: StageResult, index: int, total: int) -> None:
        self.outcomes.add(result.outcome)
        if result.outcome in ("built", "failed") and result.name not in self.begun:
            self._begin(result.name)
        if result.name in self.begun:
            self._end(result)
        self.inner.finished(result, index, total)

    def note(self, message: str) -> None:
        self.inner.note(message)

    def progress(self, description: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        return self.inner.progress(description, total, unit)

    def close(self, interrupted: bool = False) -> None:
        """The end of the run, however it came."""
        for run, job in self.begun.values():
            self._send("ABORT", now(), run, job)
        if self.entries:
            failed = bool(self.outcomes - {"built", "fresh"})
            kind = "ABORT" if interrupted else "FAIL" if failed else "COMPLETE"
            self._send(kind, now(), self._run(self.invocation.id), self._job(self.manifest.config.name))

    def _begin(self, name: str) -> None:
        from openlineage.client.facet_v2 import parent_run, sql_job
        from openlineage.client.uuid import generate_new_uuid

        node, facets = self.manifest.nodes[name], {}
        if isinstance(node.work, SqlText):
            query = masked(node.work.compiled, node.env_read.values())
            facets["sql"] = sql_job.SQLJobFacet(query=query, dialect="duckdb")
        parent = parent_run.ParentRunFacet(
            parent_run.Run(self.invocation.id), parent_run.Job(self._namespace, self.manifest.config.name)
        )
        run = self._run(str(generate_new_uuid()), {"parent": parent})
        self.begun[name] = run, self._job(f"{self.manifest.config.name}.{name}", facets)
        self._send("START", self.entries[name][1], *self.begun[name], self._inputs(name))

    def _end(self, result: StageResult) -> None:
        from openlineage.client.facet_v2 import error_message_run

        run, job = self.begun.pop(result.name)
        kind, outputs = "ABORT", []
        if result.error:
            kind = "FAIL"
            message = error_message_run.ErrorMessageRunFacet(str(result.error), "PYTHON")
            run = self._run(run.runId, {**(run.facets or {}), "errorMessage": message})
        elif result.built:
            kind, self.state[result.name] = "COMPLETE", result.built
            outputs = [self._output(result.built)]
        elif result.outcome == "fresh":
            kind = "COMPLETE"
        self._send(kind, now(), run, job, self._inputs(result.name), outputs)

    def _inputs(self, name: str) -> "list[InputDataset]":
        """What the stage reads: other stages, and files of the project."""
        from openlineage.client.event_v2 import InputDataset

        node, root = self.manifest.nodes[name], self.manifest.root
        state = {**self.state, **self.entries[name][0].pinned}
        read = [
            InputDataset(self._namespace, self._table(stage_of(reference)), facets=_facets(state[reference]))
            for reference in node.reads
            if reference in state
        ]
        files = self.entries[name][0].facts.get(FACT, {})
        return read + [InputDataset("file", str((root / file).resolve())) for file in files]

    def _output(self, done: Materialization) -> "OutputDataset":
        from openlineage.client.event_v2 import OutputDataset
        from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

        counted = statistics.OutputStatisticsOutputDatasetFacet(rowCount=done.row_count)
        name = self._table(done.stage)
        return OutputDataset(self._namespace, name, facets=_facets(done), outputFacets={"outputStatistics": counted})

    @property
    def _namespace(self) -> str:
        config = self.manifest.config.lineage
        return (config and config.namespace) or "hnm"

    def _table(self, stage: str) -> str:
        return f"{self.manifest.config.name}.{self.manifest.target}.{stage}"

    def _run(self, identity: str, facets: Mapping[str, Any] | None = None) -> "Run":
        from openlineage.client.event_v2 import Run

        return Run(identity, facets=dict(facets or {}))

    def _job(self, name: str, facets: Mapping[str, Any] | None = None) -> "Job":
        from openlineage.client.event_v2 import Job

        return Job(self._namespace, name, facets=dict(facets or {}))

    def _send(
        self,
        kind: str,
        moment: str,
        run: "Run",
        job: "Job",
        inputs: "list[InputDataset] | None" = None,
        outputs: "list[OutputDataset] | None" = None,
    ) -> None:
        from openlineage.client.event_v2 import RunEvent, RunState

        if self.transport is None:
            return
        event = RunEvent(
            eventTime=moment, producer=PRODUCER, run=run, job=job, eventType=RunState[kind],
            inputs=inputs or [], outputs=outputs or [],
        )  # fmt: skip
        try:
            self.transport.emit(event)
        except (OSError, RuntimeError, ValueError) as error:
            self.transport = None
            self.inner.note(f"lineage is not told any more in this run: {str(error).splitlines()[0]}")


def _facets(done: Materialization) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset, schema_dataset

    columns = [schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in done.columns.items()]
    schema = {"schema": schema_dataset.SchemaDatasetFacet(columns)} if columns else {}  # none of a pinned version
    return {**schema, "version": dataset_version_dataset.DatasetVersionDatasetFacet(done.data_version)}


def _transport(manifest: Manifest) -> "Transport":
    config = manifest.config.lineage
    try:
        from openlineage.client.transport.file import FileConfig, FileTransport
        from openlineage.client.transport.http import HttpConfig, HttpTransport
    except ImportError:
        hint = "pip install 'hnm[openlineage]', or take `lineage` out of project.yml"
        raise ProjectError("project.yml asks for lineage, but OpenLineage is not installed", hint=hint) from None
    if config and config.file:
        path = manifest.root / config.file
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileTransport(FileConfig(log_file_path=str(path), append=True))
    url = str(config and config.url)
    parts = urlsplit(url)
    given = {"url": f"{parts.scheme}://{parts.netloc}", "timeout": SECONDS, "retry": {"total": 1}}
    if parts.path.strip("/"):
        given["endpoint"] = parts.path.strip("/")
    key = os.environ.get(API_KEY)
    return HttpTransport(HttpConfig.from_dict(given | ({"auth": {"type": "api_key", "apiKey": key}} if key else {})))

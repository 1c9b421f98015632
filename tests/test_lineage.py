"""OpenLineage events of runs, read back by the library's own classes."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.serde import Serde

from hnm.errors import ProjectError


@pytest.fixture
def told(tiny):
    """The tiny project with a file for its events."""
    tiny.edit("project.yml", "name: tiny", "name: tiny\nlineage: {file: target/lineage.jsonl, namespace: team}")
    return tiny


def events(tiny):
    lines = (tiny.root / "target/lineage.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def by_stage(found):
    """Kinds of events by job, in order."""
    kinds = {}
    for event in found:
        kinds.setdefault(event["job"]["name"], []).append(event["eventType"])
    return kinds


def test_every_stage_starts_and_completes_within_its_run(told):
    assert told.run().ok
    found = events(told)
    kinds = by_stage(found)
    assert set(kinds) == {"tiny", *(f"tiny.{name}" for name in told.load().manifest.nodes)}
    assert all(kind == ["START", "COMPLETE"] for kind in kinds.values())
    (run,) = {event["run"]["runId"] for event in found if event["job"]["name"] == "tiny"}
    parents = {event["run"]["facets"]["parent"]["run"]["runId"] for event in found if event["job"]["name"] != "tiny"}
    assert parents == {run}
    assert told.rows("select invocation_id from _hnm.runs") == [(run,)]


def test_the_events_are_what_the_library_understands(told):
    told.run()
    for event in events(told):
        parts = {
            "run": Run(event["run"]["runId"]),
            "job": Job(event["job"]["namespace"], event["job"]["name"]),
            "inputs": [InputDataset(entry["namespace"], entry["name"]) for entry in event["inputs"]],
            "outputs": [OutputDataset(entry["namespace"], entry["name"]) for entry in event["outputs"]],
        }
        again = RunEvent(
            eventTime=event["eventTime"], producer=event["producer"], eventType=RunState[event["eventType"]], **parts
        )
        assert json.loads(Serde.to_json(again))["schemaURL"] == event["schemaURL"]


def test_inputs_outputs_columns_and_versions(told):
    told.run()
    done = {event["job"]["name"]: event for event in events(told) if event["eventType"] == "COMPLETE"}
    (output,) = done["tiny.documents"]["outputs"]
    assert (output["namespace"], output["name"]) == ("team", "tiny.dev.documents")
    assert output["facets"]["schema"]["fields"][0] == {"name": "doc_id", "type": "VARCHAR", "fields": []}
    assert output["facets"]["version"]["datasetVersion"] == told.load().state()["documents"].data_version
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 4
    assert [entry["name"] for entry in done["tiny.report"]["inputs"]] == ["tiny.dev.long_documents", "tiny.dev.vectors"]
    assert [entry["name"] for entry in done["tiny.shelf.corpus"]["inputs"]] == [str(told.root / "data/corpus.csv")]
    assert "select doc_id" in done["tiny.documents"]["job"]["facets"]["sql"]["query"]


def test_a_failure_is_told_and_what_was_not_reached_too(told):
    told.write("sql/long_documents.sql", "select doc_id, words / 'x' as words from {{ ref('word_counts') }}\n")
    assert not told.run().ok
    kinds = by_stage(events(told))
    assert kinds["tiny"] == ["START", "FAIL"]
    assert kinds["tiny.long_documents"] == ["START", "FAIL"]
    assert kinds["tiny.report"] == ["START", "ABORT"]
    (failed,) = [event for event in events(told) if event["eventType"] == "FAIL" and event["job"]["name"] != "tiny"]
    assert "long_documents" in failed["run"]["facets"]["errorMessage"]["message"]


def test_what_is_fresh_is_not_told(told):
    told.run()
    before = len(events(told))
    told.run()
    assert [event["job"]["name"] for event in events(told)[before:]] == ["tiny", "tiny"]


def test_a_secret_is_not_told(told, monkeypatch):
    monkeypatch.setenv("SALT", "topsecretsalt")
    told.write(
        "sql/documents.sql",
        "select doc_id, text, '{{ env_var('SALT') }}' as salt from {{ source('shelf', 'corpus') }}\n",
    )
    assert told.run().ok
    assert "topsecretsalt" not in (told.root / "target/lineage.jsonl").read_text()


class Backend(BaseHTTPRequestHandler):
    received: list[tuple[str, str | None, dict]] = []  # noqa: RUF012 # one backend per test module
    status = 201

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, self.headers["Authorization"], json.loads(body)))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_):
        """Be quiet."""


@pytest.fixture
def backend():
    server = HTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Backend.received.clear()
    Backend.status = 201
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_backend_gets_the_events(tiny, backend, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "key")
    tiny.edit("project.yml", "name: tiny", f"name: tiny\nlineage: {{url: '{backend}/api/v1/lineage'}}")
    assert tiny.run("documents", "shelf.corpus").ok
    assert {(path, key) for path, key, _ in Backend.received} == {("/api/v1/lineage", "Bearer key")}
    assert by_stage(event for _, _, event in Backend.received)["tiny.documents"] == ["START", "COMPLETE"]


def test_a_backend_that_fails_is_left_alone_and_the_run_goes_on(tiny, backend):
    Backend.status = 400
    tiny.edit("project.yml", "name: tiny", f"name: tiny\nlineage: {{url: '{backend}'}}")
    done = tiny.hnm("run")
    assert done.returncode == 0
    assert done.stderr.count("lineage is not told any more in this run") == 1
    assert len(Backend.received) == 1


@pytest.mark.parametrize(
    "lineage, words",
    [
        ("{}", "needs either `file` or `url`"),
        ("{file: a, url: 'http://b'}", "needs either `file` or `url`"),
        ("{url: 'ftp://b'}", "url"),
        ("{file: ../events.jsonl}", "lies outside the project"),
    ],
)
def test_a_wrong_place_is_refused(tiny, lineage, words):
    tiny.edit("project.yml", "name: tiny", f"name: tiny\nlineage: {lineage}")
    with pytest.raises(ProjectError, match=words):
        tiny.load()


def test_without_the_library_the_extra_is_named(told, monkeypatch):
    monkeypatch.setitem(sys.modules, "openlineage.client.transport.file", None)
    with pytest.raises(ProjectError, match="not installed") as caught:
        told.run()
    assert "hnm[openlineage]" in str(caught.value.hint)
    assert told.load().state() == {}

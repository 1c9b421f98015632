"""A project in Python."""

import threading

import pyarrow as pa
import pytest

import hnm
from hnm import Project
from hnm.engine.plan import Entry
from hnm.errors import HnmError, LockedError, ProjectError, QueryError, SelectorError
from hnm.warehouse.lock import run_lock


class Listener:
    """Writes down what a run tells."""

    def __init__(self):
        self.told = []

    def started(self, entry: Entry, index, total):
        self.told.append(("started", entry.node.name, index, total))

    def finished(self, result, index, total):
        self.told.append(("finished", result.name, result.outcome))

    def note(self, message):
        self.told.append(("note", message))

    def progress(self, description, total, unit):
        from hnm.context import SilentReporter

        self.told.append(("progress", description))
        return SilentReporter().progress(description, total, unit)


def test_what_the_package_offers():
    assert hnm.Project is Project
    assert "Project" in hnm.__all__
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        hnm.nope  # noqa: B018 # raises


def test_load_plan_run_query(tiny):
    project = Project.load(tiny.root)
    plan = project.plan(["+long_documents"], exclude=["shelf.corpus,documents"])
    assert [entry.status for entry in plan.entries] == ["run"] * 4
    assert project.run(plan).ok
    assert project.state().keys() == {"shelf.corpus", "documents", "word_counts", "long_documents"}
    table = project.query("select doc_id from long_documents where words >= ? order by 1", [3])
    assert isinstance(table, pa.Table)
    assert table.to_pylist() == [{"doc_id": "d1"}, {"doc_id": "d3"}]


def test_a_plan_touches_nothing(tiny):
    before = sorted(path for path in tiny.root.rglob("*") if "__pycache__" not in path.parts)
    Project.load(tiny.root).plan()
    assert sorted(path for path in tiny.root.rglob("*") if "__pycache__" not in path.parts) == before


def test_a_listener_hears_of_every_stage(built):
    listener = Listener()
    project = built.load()
    project.run(project.plan(["documents", "report"], full_refresh=True), listener)
    assert [told for told in listener.told if told[0] in ("started", "finished")] == [
        ("started", "documents", 1, 2),
        ("finished", "documents", "built"),
        ("started", "report", 2, 2),
        ("finished", "report", "built"),
    ]


def test_failures_are_in_the_result(built):
    built.write("sql/report.sql", "select nope")
    result = built.load().run()
    assert not result.ok
    assert "nope" in str(result.results[-1].error)


def test_a_second_run_is_refused(built):
    project = built.load()
    with run_lock(project.warehouse.folder, "test"), pytest.raises(LockedError):
        project.run()
    assert project.run().ok


def test_queries_from_several_threads(built):
    project = built.load()
    found, errors = [], []

    def ask():
        try:
            found.append(project.query("select count(*) as n from vectors join documents using (doc_id)").to_pylist())
        except HnmError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, errors) == ([[{"n": 4}]] * 8, [])


def test_settings(tiny):
    assert tiny.load().settings.cores == 1
    tiny.edit("project.yml", "cores: 1", "cores: 0")
    assert tiny.load().settings.cores >= 1
    assert tiny.load().settings.memory_limit == "500MB"


def test_names_that_do_not_exist(built):
    project = built.load()
    with pytest.raises(SelectorError) as caught:
        project.node("documnts")
    assert caught.value.hint == "did you mean 'documents'?"
    with pytest.raises(SelectorError, match="not a SQL stage"):
        project.compiled("word_counts")
    with pytest.raises(QueryError, match="nope"):
        project.query("select * from nope")
    with pytest.raises(ProjectError):
        Project.load(built.root, target="nope")


def test_a_project_is_found_from_any_folder_in_it(built, monkeypatch):
    monkeypatch.chdir(built.root / "sql")
    assert Project.load().manifest.root == built.root


def test_a_project_may_move(built):
    moved = built.root.rename(built.root.with_name("elsewhere"))
    plan = Project.load(moved).plan()
    assert {entry.status for entry in plan.entries} == {"fresh"}


def test_vars_of_the_call_count_first(tiny):
    assert Project.load(tiny.root, variables={"least": 9}).compiled("long_documents").strip().endswith(">= 9")
    assert Project.load(tiny.root, "prod").compiled("long_documents").strip().endswith(">= 3")


def test_one_name_needs_no_list_around_it(built):
    project = built.load()
    assert [entry.node.name for entry in project.plan("report").entries] == ["report"]
    assert project.outdated("report") == []

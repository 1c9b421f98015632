"""Going on with a run: exactly what failed, was skipped or was not reached."""

import signal

import pytest
from test_history import kill_while_word_counts_runs

from hnm.engine.run import Invocation
from hnm.errors import SelectorError, WarehouseError


def break_long_documents(tiny):
    tiny.edit("sql/long_documents.sql", "doc_id, words", "doc_id, words, error('broken') as x")


def mend_long_documents(tiny):
    tiny.edit("sql/long_documents.sql", ", error('broken') as x", "")


def retried(tiny, run=None):
    project = tiny.load()
    found = project.retry(run)
    return {result.name: result.outcome for result in project.run(found.plan).results}


def test_failed_and_skipped_stages_are_retried_and_nothing_else(tiny):
    break_long_documents(tiny)
    tiny.run()
    assert retried(tiny) == {"long_documents": "failed", "report": "skipped"}
    mend_long_documents(tiny)
    assert retried(tiny) == {"long_documents": "built", "report": "built"}
    assert retried(tiny) == {}


def test_an_earlier_run_can_be_retried(tiny):
    break_long_documents(tiny)
    failed = tiny.run().invocation_id
    tiny.run("documents")
    mend_long_documents(tiny)
    assert retried(tiny) == {}
    assert retried(tiny, failed[:8]) == {"long_documents": "built", "report": "built"}
    assert retried(tiny, failed) == {"long_documents": "fresh", "report": "fresh"}


def test_what_a_killed_run_did_not_reach_is_retried(tiny):
    kill_while_word_counts_runs(tiny, signal.SIGKILL)
    (tiny.root / "go").touch()
    assert retried(tiny) == dict.fromkeys(["word_counts", "long_documents", "vectors", "report"], "built")
    assert tiny.rows("select * from report") == [(3, 5.0)]


def test_stages_that_left_the_project_are_named(tiny):
    break_long_documents(tiny)
    tiny.run()
    tiny.edit("pipelines/tiny.yml", "  - name: report\n", "")
    found = tiny.load().retry()
    assert found.gone == ("report",)
    assert [entry.node.name for entry in found.plan.entries] == ["long_documents"]


def test_a_full_refresh_stays_one(built):
    break_long_documents(built)
    project = built.load()
    project.run(project.plan(["long_documents+"], full_refresh=True), invocation=Invocation("run --full-refresh"))
    mend_long_documents(built)
    found = built.load().retry()
    assert found.full_refresh
    assert {entry.node.name: entry.reason for entry in found.plan.entries} == {
        "long_documents": "--full-refresh",
        "report": "--full-refresh",
    }


def test_without_a_run_there_is_nothing_to_retry(tiny):
    with pytest.raises(WarehouseError, match="no warehouse"):
        tiny.load().retry()


def test_an_unknown_run_is_an_error(built):
    with pytest.raises(SelectorError, match="no recorded run 'x'"):
        built.load().retry("x")


def test_fail_fast_skips_the_rest_and_retry_goes_on_with_it(built):
    break_long_documents(built)
    built.edit("pipelines/tiny.yml", "  - name: vectors", "  - name: apart\n  - name: vectors")
    built.write("sql/apart.sql", "select count(*) as n from {{ ref('documents') }}")
    project = built.load()
    results = {result.name: result for result in project.run(invocation=Invocation(fail_fast=True)).results}
    assert results["long_documents"].outcome == "failed"
    assert results["apart"].outcome == "skipped"
    assert results["apart"].reason == "long_documents failed, and --fail-fast stops there"
    assert results["vectors"].outcome == "fresh"
    assert retried(built)["apart"] == "built"

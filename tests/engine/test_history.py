"""What is recorded of runs: from their start, whatever their end, and which versions were published."""

import signal

import pytest
from tiny_project import wait_for

from hnm.errors import SelectorError
from hnm.warehouse.history import built_until, find_run, stage_records


def records(tiny, run=None):
    with tiny.load().warehouse.database.reading() as connection:
        found = find_run(connection, run)
        return found, {name: record.status for name, record in stage_records(connection, found).items()}


def hold_word_counts(tiny):
    """Let the transform wait until the file `go` exists; it makes the file `waiting` when it does."""
    tiny.edit(
        "counting.py",
        "    for batch in",
        """    import time

            (context.root / "waiting").touch()
            while not (context.root / "go").exists():
                time.sleep(0.01)
            for batch in""".replace("            ", "    "),
    )


def kill_while_word_counts_runs(tiny, how=signal.SIGKILL, *options):
    hold_word_counts(tiny)
    process = tiny.start("run", *options)
    wait_for((tiny.root / "waiting").exists)
    process.send_signal(how)
    process.communicate(timeout=30)
    return process.returncode


def test_a_run_is_recorded_from_its_start(tiny):
    assert kill_while_word_counts_runs(tiny) == -signal.SIGKILL
    run, statuses = records(tiny)
    assert (run.status, run.finished_at, run.command) == ("running", None, "run")
    assert statuses == {
        "shelf.corpus": "built",
        "documents": "built",
        **dict.fromkeys(["word_counts", "long_documents", "vectors", "report"], "planned"),
    }


def test_an_interrupted_run_is_recorded_as_such(tiny):
    assert kill_while_word_counts_runs(tiny, signal.SIGINT) == 1
    run, statuses = records(tiny)
    assert run.status == "interrupted"
    assert run.finished_at
    assert statuses["word_counts"] == "planned"


def test_a_run_that_ended_has_one_record_per_stage(built):
    run, statuses = records(built)
    assert run.status == "success"
    assert set(statuses.values()) == {"built"}
    assert built.rows("select count(*) from _hnm.run_stages") == [(6,)]
    built.run()
    run, statuses = records(built)
    assert set(statuses.values()) == {"fresh"}
    assert built.rows("select count(*) from _hnm.runs") == [(2,)]


def test_an_empty_plan_is_no_run(built):
    project = built.load()
    result = project.run(project.plan(["stale:"]))
    assert result.ok
    assert result.results == []
    assert built.rows("select count(*) from _hnm.runs") == [(1,)]


def test_a_run_is_found_by_the_beginning_of_its_id(built):
    first = records(built)[0].invocation_id
    second = built.run().invocation_id
    assert records(built)[0].invocation_id == second
    assert records(built, first[:12])[0].invocation_id == first
    with pytest.raises(SelectorError, match="2 recorded runs begin with ''"):
        records(built, "")


def test_the_state_that_a_run_left_includes_what_earlier_runs_built(built):
    built.edit("project.yml", "{least: 2}", "{least: 3}")
    second = built.run().invocation_id
    with built.load().warehouse.database.reading() as connection:
        state = built_until(connection, find_run(connection, second))
    assert set(state) == set(built.load().state())
    assert state["long_documents"].components["var least"] == "3"
    assert {name: record.fingerprint for name, record in state.items()} == {
        name: done.fingerprint for name, done in built.load().state().items()
    }


def test_runs_are_in_the_order_in_which_they_were_recorded_whatever_the_clock_said(built):
    with built.load().warehouse.database.writing() as connection:
        connection.execute("update _hnm.runs set started_at = '2999-01-01T00:00:00.000+00:00'")  # set back since
    first, _ = records(built)
    built.edit("pipelines/tiny.yml", "lowercase: true", "lowercase: false")
    built.write("sql/report.sql", "select nonsense from {{ ref('vectors') }}")
    assert not built.run().ok
    last, statuses = records(built)
    assert (last.status, statuses["report"]) == ("failed", "failed")
    assert [entry.node.name for entry in built.load().retry().plan.entries] == ["report"]
    with built.load().warehouse.database.reading() as connection:
        before, after = (built_until(connection, run)["word_counts"].components for run in (first, last))
    assert (before["params.lowercase"], after["params.lowercase"]) == ("true", "false")


def test_every_published_version_is_remembered_once(built):
    query = "select row_count, lance_version from _hnm.versions where stage = 'vectors' order by built_at"
    assert built.rows(query) == [(4, 1)]
    built.run("vectors", full_refresh=True)  # equal content is the same version
    assert built.rows(query) == [(4, 1)]
    built.edit("sql/vectors.sql", "word_counts') }}", "word_counts') }} where words > 2")
    built.run("vectors")
    assert built.rows(query) == [(4, 1), (2, 2)]


def test_plan_and_run_say_how_many_rows_an_input_had_and_has(built):
    built.edit("data/corpus.csv", "d2,two,a a\n", "")
    reasons = {result.name: result.reason for result in built.run("+documents").results}
    assert reasons["documents"] == "input shelf.corpus changed (4 -> 3 rows)"
    (entry,) = built.load().plan(["word_counts"]).entries
    assert (entry.reason, entry.rows) == ("input documents -1 rows", 3)
    built.edit("data/corpus.csv", "a b c d e", "a b c d")
    reasons = {result.name: result.reason for result in built.run("+documents").results}
    assert reasons["documents"] == "input shelf.corpus changed (3 rows as before)"

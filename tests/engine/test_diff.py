"""What differs: between what is built and what would be, and between the states of two runs."""

import pytest

from hnm.errors import SelectorError


def diff(tiny, *select):
    return {stage.stage: stage for stage in tiny.load().diff(select)}


def words(stage):
    return [change.words for change in stage.changes]


def test_before_the_first_run_everything_is_new(tiny):
    found = diff(tiny)
    assert {stage.status for stage in found.values()} == {"new"}
    assert words(found["report"]) == ["never built"]
    assert found["report"].rows_before is None


def test_after_a_run_nothing_differs(built):
    assert diff(built) == {}


def test_a_changed_var_is_shown_with_both_values_and_what_follows_with_its_inputs(built):
    built.edit("project.yml", "{least: 2}", "{least: 4}")
    found = diff(built)
    assert set(found) == {"long_documents", "report"}
    (change,) = found["long_documents"].changes
    assert (change.component, change.before, change.after) == ("var least", "2", "4")
    assert change.words == "var least 2 -> 4"
    assert found["long_documents"].status == "changed"
    assert found["long_documents"].rows_before == 3
    assert found["report"].status == "after its inputs"
    assert words(found["report"]) == ["input long_documents is brought up to date first (3 rows now)"]


def test_changed_sql_is_shown_line_by_line(built):
    built.edit("sql/long_documents.sql", "words >=", "words >")
    sql = diff(built)["long_documents"].sql.splitlines()
    assert [line for line in sql if line.startswith("-select")] == [
        "-select doc_id, words from {{ ref('word_counts') }} where words >= {{ var('least') }}"
    ]
    assert [line for line in sql if line.startswith("+select")] == [
        "+select doc_id, words from {{ ref('word_counts') }} where words > {{ var('least') }}"
    ]


def test_rows_of_inputs_that_are_built_already_are_counted(built):
    built.edit("data/corpus.csv", "d2,two,a a\n", "")
    built.run("shelf.corpus")
    assert words(diff(built)["documents"]) == ["input shelf.corpus changed (4 -> 3 rows)"]


def test_only_what_is_selected_is_compared(built):
    built.edit("project.yml", "{least: 2}", "{least: 4}")
    assert set(diff(built, "report")) == set()
    assert set(diff(built, "long_documents")) == {"long_documents"}


def test_two_runs_differ_in_components_and_rows(built):
    first = built.rows("select invocation_id from _hnm.runs")[0][0]
    built.edit("project.yml", "{least: 2}", "{least: 4}")
    second = built.run().invocation_id
    found = {stage.stage: stage for stage in built.load().diff_runs(first[:8], second[:8])}
    assert set(found) == {"long_documents", "report"}
    assert words(found["long_documents"]) == ["var least 2 -> 4"]
    assert (found["long_documents"].rows_before, found["long_documents"].rows_after) == (3, 1)
    assert words(found["report"]) == ["input long_documents changed (3 -> 1 rows)"]
    back = {stage.stage: words(stage) for stage in built.load().diff_runs(second, first)}
    assert back["long_documents"] == ["var least 4 -> 2"]
    assert built.load().diff_runs(first, first) == ()


def test_a_run_that_built_nothing_left_the_state_as_it_was(built):
    first = built.rows("select invocation_id from _hnm.runs")[0][0]
    assert built.load().diff_runs(first, built.run().invocation_id) == ()


def test_a_stage_that_came_later_is_new(built):
    first = built.rows("select invocation_id from _hnm.runs")[0][0]
    built.edit("pipelines/tiny.yml", "  - name: report", "  - name: report\n  - name: more")
    built.write("sql/more.sql", "select * from {{ ref('report') }}")
    second = built.run().invocation_id
    project = built.load()
    assert [(stage.stage, stage.status, stage.rows_after) for stage in project.diff_runs(first, second)] == [
        ("more", "new", 1)
    ]
    assert [(stage.stage, stage.status) for stage in project.diff_runs(second, first)] == [("more", "gone")]


def test_an_unknown_run_is_an_error(built):
    with pytest.raises(SelectorError, match="no recorded run"):
        built.load().diff_runs("x", "y")

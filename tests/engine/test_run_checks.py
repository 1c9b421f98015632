"""What is looked at before a stage is published: contract, data tests, keys."""

import pytest

from hnm.errors import DataTestError, StageError

PIPELINE = "pipelines/tiny.yml"


@pytest.mark.parametrize(
    ("column", "words", "hint"),
    [
        ("{name: txt, type: VARCHAR}", "'txt'", "'text'"),
        ("{name: text, type: INTEGER}", "INTEGER", "cast"),
        ("{name: doc_id, type: 'VARCHAR[]'}", "VARCHAR[]", None),
    ],
)
def test_a_broken_contract_publishes_nothing(tiny, column, words, hint):
    tiny.edit(PIPELINE, "{name: text, type: VARCHAR, tests: [not_null]}", column)
    error = tiny.failure()
    assert words in str(error)
    assert hint is None or hint in str(error)
    assert "documents" not in tiny.load().state()


@pytest.mark.parametrize("kind", ["string", "TEXT", "varchar"])
def test_types_have_other_names(tiny, kind):
    tiny.edit(PIPELINE, "type: VARCHAR", f"type: {kind}")
    assert tiny.run("+documents").ok


TESTS = [
    ("not_null", "select 'a' as x", "select null::varchar as x"),
    ("unique", "select unnest(['a', 'b']) as x", "select unnest(['a', 'a']) as x"),
    ("{accepted_values: [a, b]}", "select 'a' as x", "select 'c' as x"),
    ("{in_range: [0, 1]}", "select 0.5 as x", "select 1.5 as x"),
    ("{in_range: {min: 0}}", "select 1e9 as x", "select -1 as x"),
    ("{in_range: [0, 1]}", "select null::double as x", "select 'nan'::double as x"),
    ("{relationships: {to: documents, field: doc_id}}", "select 'd1' as x", "select 'd9' as x"),
    ("{relationships: {to: shelf.corpus, field: doc_id}}", "select 'd1' as x", "select 'd9' as x"),
]


@pytest.mark.parametrize(("test", "good", "bad"), TESTS, ids=[test for test, _, _ in TESTS])
def test_kinds_of_data_tests(tiny, test, good, bad):
    reads = "where exists (from {{ ref('documents') }}) or exists (from {{ source('shelf', 'corpus') }})"
    if "relationships" in test:
        tiny.edit(PIPELINE, "- name: report", f"- name: report\n    columns: [{{name: x, tests: [{test}]}}]")
    else:
        reads = ""
        tiny.stages(f"stages: [{{name: report, columns: [{{name: x, tests: [{test}]}}]}}]")
    for sql, outcome in ((good, "built"), (bad, "failed")):
        tiny.write("sql/report.sql", f"select * from ({sql}) {reads}")
        result = tiny.run("+report").results[-1]
        assert result.outcome == outcome
    assert isinstance(result.error, DataTestError)
    assert tiny.rows("select count(*) from report") == [(len(tiny.rows(good)),)]


@pytest.mark.parametrize(
    ("test", "sql", "good"),
    [
        ("{row_count: {min: 1}}", "select 1 as x", True),
        ("{row_count: {min: 1}}", "select 1 as x where false", False),
        ("{row_count: {max: 1}}", "select unnest([1, 2]) as x", False),
        ("{sql: x > 0}", "select 1 as x", True),
        ("{sql: x > 0 -- why}", "select -1 as x", False),
    ],
)
def test_data_tests_of_a_table(tiny, test, sql, good):
    tiny.stages(f"stages: [{{name: report, tests: [{test}]}}]", report=sql)
    assert tiny.only().outcome == ("built" if good else "failed")


def test_too_few_rows_are_told_as_a_number_of_rows(tiny):
    tiny.stages("stages: [{name: report, tests: [{row_count: {min: 1}}]}]", report="select 1 as x where false")
    assert tiny.failure().why == "row_count: there are 0 rows"


def test_a_test_that_cannot_run_fails_the_stage_in_words(tiny):
    tiny.stages("stages: [{name: report, tests: [{sql: nope > 0}]}]", report="select 1 as x")
    error = tiny.failure()
    assert isinstance(error, StageError)
    assert "nope" in str(error)


def test_a_failed_test_shows_rows_and_blocks_what_is_below(tiny):
    tiny.edit("sql/documents.sql", "doc_id, text", "doc_id, nullif(text, 'a a') as text")
    result = tiny.run()
    assert [stage.outcome for stage in result.results] == ["built", "failed", *["skipped"] * 4]
    assert "not_null text" in result.results[1].error.why
    assert "d2" in result.results[1].error.why
    assert "documents" not in tiny.load().state()


def test_a_warning_publishes_and_says_so(tiny):
    tiny.edit(PIPELINE, "tests: [not_null]", "tests: [{not_null: {severity: warn}}]")
    tiny.edit("sql/documents.sql", "doc_id, text", "doc_id, nullif(text, 'a a') as text")
    (result,) = tiny.run("+documents").results[1:]
    assert result.outcome == "built"
    assert ["not_null text" in str(warning) for warning in result.warnings] == [True]


def test_a_key_is_tested(tiny):
    tiny.write("sql/documents.sql", "select 'same' as doc_id, text from {{ source('shelf', 'corpus') }}")
    assert "unique doc_id" in tiny.failure().why

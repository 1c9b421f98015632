"""Data tests block or warn in a real run, run again on what is published, and leave failing rows for inspection."""

import json

import pytest

from hnm.errors import DataTestError, ProjectError, StageError
from hnm.warehouse.failing_rows import KEPT_ROWS

PIPELINE = "pipelines/tiny.yml"
NO_A = "{sql: {condition: text not like 'a%', name: no a}}"
FAILING = '_hnm_failures."documents no a"'


def add_test(tiny, test):
    tiny.edit(PIPELINE, "tests: [not_null]", f"tests: [not_null, {test}]")


def kept(tiny):
    """The tables of failing rows that are there."""
    return [row[0] for row in tiny.rows("select table_name from duckdb_tables() where schema_name = '_hnm_failures'")]


def verdicts(tiny, *select):
    project = tiny.load()
    return {verdict.name: verdict for verdict in project.data_tests(select)}


def test_a_blocking_test_keeps_its_rows_and_the_last_good_table(tiny):
    tiny.run("+documents")
    add_test(tiny, NO_A)
    tiny.write("data/corpus.csv", "doc_id,title,text\nd1,one,a b\nd9,nine,x\n")
    result = {stage.name: stage for stage in tiny.run("+word_counts").results}
    error = result["documents"].error
    assert isinstance(error, DataTestError)
    assert error.what == "documents: 1 of 4 data tests failed, nothing was published"
    assert (error.where.path, error.where.line) == (tiny.root / PIPELINE, 8)
    assert f"hnm query 'from {FAILING}'" in error.why
    assert "no a: 1 row, for example (doc_id=d1, text=a b)" in error.why
    assert result["word_counts"].outcome == "skipped"
    assert tiny.rows("select count(*) from documents") == [(4,)]
    assert tiny.rows(f"from {FAILING}") == [("d1", "a b")]


def test_kept_rows_are_replaced_and_go_when_the_test_passes(tiny):
    add_test(tiny, NO_A)
    tiny.run("+documents")
    assert len(tiny.rows(f"from {FAILING}")) == 3
    tiny.write("data/corpus.csv", "doc_id,title,text\nd1,one,a b\n")
    tiny.run("+documents")
    assert tiny.rows(f"from {FAILING}") == [("d1", "a b")]
    tiny.write("data/corpus.csv", "doc_id,title,text\nd1,one,b\n")
    assert tiny.run("+documents").ok
    assert kept(tiny) == []


def test_kept_rows_go_when_the_test_does(tiny):
    add_test(tiny, NO_A)
    tiny.run("+documents")
    tiny.edit(PIPELINE, f", {NO_A}", "")
    assert tiny.run("+documents").ok
    assert kept(tiny) == []


def test_a_warning_is_published_with_its_rows_kept(tiny):
    add_test(tiny, NO_A.replace("condition", "severity: warn, condition"))
    result = tiny.run("+documents")
    assert result.ok
    (warning,) = next(stage for stage in result.results if stage.name == "documents").warnings
    assert (warning.count, warning.blocks, warning.rows.num_rows) == (3, False, 3)
    assert str(warning).startswith("no a: 3 rows, for example (doc_id=d1, text=a b c); (doc_id=d2, text=a a); (doc_id")
    assert tiny.rows("select count(*) from documents") == [(4,)]
    assert len(tiny.rows(f"from {FAILING}")) == 3


def test_below_error_if_it_warns_and_from_there_on_it_blocks(tiny):
    add_test(tiny, NO_A.replace("condition", "error_if: 4, condition"))
    assert tiny.run("+documents").ok
    tiny.write("data/corpus.csv", "doc_id,title,text\n" + "".join(f"d{i},t,a\n" for i in range(4)))
    assert not tiny.run("+documents").ok


def test_no_more_than_so_many_rows_are_kept_and_always_the_same_ones(tiny):
    add_test(tiny, "{sql: {condition: 'false', name: never}}")
    rows = [f"d{i:05},t,x\n" for i in range(KEPT_ROWS + 5)]
    for lines in (rows, rows[::-1]):
        tiny.write("data/corpus.csv", "doc_id,title,text\n" + "".join(lines))
        error = next(stage for stage in tiny.run("+documents").results if stage.name == "documents").error
        assert "never: 1,005 rows" in error.why
        found = tiny.rows('from _hnm_failures."documents never"')
        assert [row[0] for row in found] == [f"d{i:05}" for i in range(KEPT_ROWS)]


def test_a_file_sees_the_new_rows_of_its_stage_and_the_published_ones_of_the_others(tiny):
    tiny.write(
        "sql/tests/lost.sql",
        """
        -- Every document has a vector; columns of both sides may have the same name.
        select documents.*, vectors.*
        from {{ ref('documents') }} as documents left join {{ ref('vectors') }} as vectors using (doc_id)
        where vectors.doc_id is null; -- ends here
        """,
    )
    assert tiny.run("+vectors").ok
    tiny.write("sql/vectors.sql", "select doc_id, [1, 2]::float[2] as vector from {{ ref('word_counts') }} limit 0")
    failed = next(stage for stage in tiny.run("+vectors").results if stage.name == "vectors")
    assert "lost: 4 rows" in failed.error.why
    assert len(tiny.rows('from _hnm_failures."vectors lost"')) == 4


def test_a_test_with_a_mistake_says_so_and_nothing_is_published(tiny):
    add_test(tiny, "{sql: nope > 1}")
    failed = next(stage for stage in tiny.run("+documents").results if stage.name == "documents")
    assert isinstance(failed.error, StageError)
    assert "the test 'sql text' cannot run" in failed.error.what
    assert (failed.error.where.path, failed.error.where.line) == (tiny.root / PIPELINE, 8)
    assert "documents" not in tiny.load().state()


def test_a_source_cannot_take_the_schema_of_the_kept_rows(tiny):
    tiny.edit(PIPELINE, "- name: shelf", "- name: _HNM_failures")
    with pytest.raises(ProjectError, match="reserved schema"):
        tiny.load()


# `hnm test` on what is published.


def test_published_tables_are_tested_as_they_are(tiny):
    tiny.run("+documents")
    add_test(tiny, NO_A)
    before = tiny.load().state()
    found = verdicts(tiny, "documents")
    assert {name: verdict.status for name, verdict in found.items()} == {
        "columns and types": "pass",
        "not_null text": "pass",
        "no a": "fail",
        "unique doc_id": "pass",
        "not_null doc_id": "pass",
    }
    assert (found["no a"].rows, found["no a"].where.line) == (3, 8)
    assert len(tiny.rows(f"from {FAILING}")) == 3
    assert tiny.load().state() == before
    tiny.edit(PIPELINE, "not like 'a%'", "not like 'z%'")
    assert verdicts(tiny, "documents")["no a"].status == "pass"
    assert kept(tiny) == []


def test_lance_tables_and_sources_are_tested_too(tiny):
    warn = "{{ config(severity='warn') }}"
    tiny.write("sql/tests/one.sql", warn + "select * from {{ source('shelf', 'corpus') }} where title = 'one'")
    tiny.write("sql/tests/short.sql", warn + "select * from {{ ref('vectors') }} where vector[1] < 3")
    tiny.edit(PIPELINE, "materialized: lance", "materialized: lance\n    columns: [{name: vector, type: 'FLOAT[2]'}]")
    assert tiny.run("+vectors").ok
    found = verdicts(tiny, "shelf.corpus", "vectors")
    assert (found["one"].status, found["one"].rows) == ("warn", 1)
    assert (found["short"].status, found["short"].rows) == ("warn", 2)
    assert found["columns and types"].status == "pass"
    assert tiny.rows('select doc_id, vector from _hnm_failures."vectors short" order by 1')[0] == ("d2", [1.0, 1.0])


def test_what_was_never_built_is_skipped(tiny):
    assert {verdict.status for verdict in tiny.load().data_tests()} == {"skip"}
    tiny.run("+word_counts")
    assert {verdict.stage: verdict.status for verdict in tiny.load().data_tests(["documents", "vectors"])} == {
        "documents": "pass",
        "vectors": "skip",
    }


def test_a_contract_that_changed_since_is_held_against_the_published_table(tiny):
    tiny.run("+documents")
    tiny.edit(PIPELINE, "{name: text, type: VARCHAR", "{name: text, type: INTEGER")
    broken = verdicts(tiny)["columns and types"]
    assert (broken.status, broken.kind) == ("fail", "contract")
    assert "documents.text is VARCHAR, declared INTEGER" in broken.message


def test_the_command(tiny):
    tiny.run("+documents")
    assert tiny.hnm("test", "--select", "documents").returncode == 0
    add_test(tiny, NO_A)
    failing = tiny.hnm("test", "--only", "data", "--quiet")
    assert failing.returncode == 1
    assert "fail data     documents  no a  3 rows" in failing.stderr
    assert f"hnm query 'from {FAILING}'" in failing.stderr
    assert "unique" not in failing.stderr
    told = json.loads(tiny.hnm("test", "--select", "documents", "--json").stdout)
    assert (told["ok"], len(told["tests"])) == (False, 5)
    assert [test["rows"] for test in told["tests"] if test["status"] == "fail"] == [3]

"""SQL stages: what they may be, and where their errors are."""

import pytest


@pytest.mark.parametrize(
    ("sql", "line", "words"),
    [
        ("select 1 as x,\n  nope\nfrom range(3)", 2, "nope"),
        ("{{ config(tags=['x']) }}\n\n\nselect 1 as x,\n  nope\nfrom range(3)", 5, "nope"),
        ("{% set a = 1 %}\n{% set b = 2 %}\nselect\n  'x'::integer as x", 4, "Could not convert"),
        ("select 1\n\nfrm x", 3, "syntax error"),
        ("select x from (\n  select 1 as y\n)", 1, "x"),
        ("selec 1", 1, "syntax error"),
        ("select 1 as x,\n  'oops", 2, "unterminated"),
        ("-- why\n\nselect a,\nb from range(3)", 3, "a"),
    ],
)
def test_an_error_in_sql_names_the_line_of_the_compiled_file(tiny, sql, line, words):
    tiny.stages("stages: [{name: report}]", report=sql)
    error = tiny.failure()
    assert words in str(error)
    assert error.where.path == tiny.root / "target/compiled/report.sql"
    assert error.where.line == line


def test_a_stage_that_is_read_without_ref_is_named(tiny):
    tiny.stages("stages: [{name: report}, {name: other}]", report="select * from other", other="select 1 as x")
    hint = "read the stage with {{ ref('other') }}: so it is built first, and a change of it is seen"
    assert tiny.failure().hint == hint
    tiny.write("sql/report.sql", "select * from report")
    assert tiny.failure().hint is None


def test_an_error_in_sql_is_told_once(tiny):
    tiny.stages("stages: [{name: report}]", report="select nope from range(3)")
    error = tiny.failure()
    assert str(error).count("not found in FROM clause") == 1
    assert "LINE 1:" in error.why


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("select 1 as x; select 2 as x", "2 statements"),
        ("", "0 statements"),
        ("-- nothing", "0 statements"),
        ("create table x as select 1 as y", "another statement"),
        ("drop table documents", "another statement"),
        ("insert into documents values ('x', 'y')", "another statement"),
        ("attach 'x.duckdb'", "another statement"),
        ("copy (select 1) to 'x.csv'", "another statement"),
    ],
)
def test_a_sql_stage_is_one_select(tiny, sql, why):
    tiny.stages("stages: [{name: report}]", report=sql)
    error = tiny.failure()
    assert "is one SELECT" in error.what
    assert why in error.why
    assert error.where.path == tiny.root / "sql/report.sql"
    assert not (tiny.root / "x.csv").exists()


@pytest.mark.parametrize("end", [";", ";\n", " ; -- done\n", "\n-- done; really", ";;"])
def test_a_semicolon_and_comments_may_end_it(tiny, end):
    tiny.stages("stages: [{name: report}]", report="select ';' as x" + end)
    assert tiny.run().ok
    assert tiny.rows("select * from report") == [(";",)]


def test_forms_of_select_that_duckdb_knows(tiny):
    for sql in ("from range(3) select range", "values (1)", "with a as (select 1 as x) table a"):
        tiny.stages("stages: [{name: report}]", report=sql)
        assert tiny.run().ok, sql


def test_a_file_that_no_source_declares_cannot_be_read(built):
    """It would be in no fingerprint: a change of it would not be seen."""
    built.write("sql/report.sql", "select * from read_csv('data/corpus.csv')")
    error = built.failure("report")
    assert "data/corpus.csv" in error.what
    assert "source()" in error.hint


def test_what_does_not_fit_into_memory_spills(tiny):
    tiny.edit("project.yml", "500MB", "100MB")
    tiny.stages(
        "stages: [{name: big}]",
        big="select count(*) as n from (select range as n, md5(range::text) as x from range(2000000) order by x)",
    )
    assert tiny.run().ok, tiny.failure("big")
    assert tiny.rows("select n from big") == [(2_000_000,)]

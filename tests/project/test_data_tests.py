"""Every kind of data test on real tables, and every way to write one wrongly."""

from datetime import timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.engine.data_tests import run_test
from hnm.errors import ProjectError, StageError
from hnm.project.config import StageConfig
from hnm.project.data_test_kinds import KINDS
from hnm.project.data_tests import declared_tests
from hnm.project.validate import validated
from hnm.project.yaml_file import read_yaml


def declared(folder, yaml):
    """The tests of a stage `t` whose YAML, beside its name, is this text."""
    path = folder / "stage.yml"
    path.write_text(f"name: t\n{yaml}\n", encoding="utf-8")
    file = read_yaml(path)
    return declared_tests(validated(StageConfig, file.data, file), file, (), {})


def count(folder, test, rows, kind="INTEGER"):
    """How many rows the test of a column `x` finds among these values (SQL), or one of the stage when `test` is so."""
    place = "tests" if test.startswith(("row_count", "{row_count")) else None
    yaml = f"tests: [{test}]" if place else f"columns: [{{name: x, tests: [{test}]}}]"
    (only,) = declared(folder, yaml)
    with duckdb.connect() as connection:
        connection.execute(f"create table t (x {kind}, y varchar)")
        for row in rows:
            connection.execute(f"insert into t values ({row}, null)")
        connection.execute("create table other as select 1 as id union all select null")
        connection.execute('create schema shelf; create table shelf."books" as select 2 as id')
        failure = run_test(connection, "t", "t", only)
    return failure.count if failure else 0


@pytest.mark.parametrize(
    ("test", "rows", "kind", "expected"),
    [
        ("unique", ["1", "2", "2", "3", "3", "3"], "INTEGER", 2),
        ("unique", ["null", "null"], "INTEGER", 0),
        ("unique", [], "INTEGER", 0),
        ("not_null", ["1", "null", "null"], "INTEGER", 2),
        ("{accepted_values: [a, 'it''s']}", ["'a'", "'it''s'", "'b'", "null"], "VARCHAR", 1),
        ("{accepted_values: [1, 2.5, true]}", ["1", "2.5", "3"], "DOUBLE", 1),
        ("{accepted_values: [0.1]}", ["0.1"], "FLOAT", 0),
        ("{accepted_values: {values: [2020-01-01]}}", ["'2020-01-01'", "'2020-01-02'"], "DATE", 1),
        ("{in_range: [0, 1]}", ["-1", "0", "1", "2", "null"], "INTEGER", 2),
        ("{in_range: [0, 1]}", ["0.5", "'nan'", "'inf'"], "FLOAT", 2),
        ("{in_range: [0, 1]}", ["0.50", "1.01", "null"], "DECIMAL(9,2)", 1),
        ("{in_range: {min: 0}}", ["'nan'", "1", "null"], "DOUBLE", 1),
        ("{in_range: {max: 0.1}}", ["0.1"], "FLOAT", 0),
        ("{in_range: {max: 9007199254740993}}", ["9007199254740993", "9007199254740994"], "BIGINT", 1),
        ("{in_range: {min: 2020-01-02}}", ["'2020-01-01 12:00'", "'2020-01-02 00:00'"], "TIMESTAMP", 1),
        ("{row_count: {min: 1}}", [], "INTEGER", 1),
        ("{row_count: {min: 1, max: 2}}", ["1", "2"], "INTEGER", 0),
        ("{row_count: {max: 0}}", ["1"], "INTEGER", 1),
        ("{row_count: {max: 0, where: x > 1}}", ["1"], "INTEGER", 0),
        ("{relationships: {to: other, field: id}}", ["1", "2", "null"], "INTEGER", 1),
        ("{relationships: {to: ref('other'), field: id}}", ["1"], "INTEGER", 0),
        ("{relationships: {to: shelf.books, field: id, where: x > 0}}", ["0", "2", "3"], "INTEGER", 1),
        ("{sql: x > 1}", ["1", "2", "null"], "INTEGER", 1),
        ("{sql: {condition: 'x > 1 -- of course'}}", ["1", "2"], "INTEGER", 1),
        ("{not_null: {where: 'true -- all'}}", ["null"], "INTEGER", 1),
    ],
)
def test_what_offends(tmp_path, test, rows, kind, expected):
    assert count(tmp_path, test, rows, kind) == expected


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ"])
@pytest.mark.parametrize(
    ("test", "age", "expected"),
    [
        ("{fresher_than: 7 days}", timedelta(days=6), 0),
        ("{fresher_than: 7 days}", timedelta(days=8), 1),
        ("{fresher_than: 1 week}", timedelta(days=8), 1),
        ("{fresher_than: {hours: 24}}", timedelta(hours=23), 0),
        ("{fresher_than: {hours: 24, minutes: 30}}", timedelta(hours=25), 1),
        ("{fresher_than: {days: 1, hours: 2}}", timedelta(hours=25), 0),
    ],
)
def test_freshness(tmp_path, test, age, expected, kind):
    latest = f"(now() at time zone 'UTC')::timestamp - interval '{int(age.total_seconds())} seconds'"
    latest = latest if kind == "TIMESTAMP" else f"now() - interval '{int(age.total_seconds())} seconds'"
    assert count(tmp_path, test, [latest, "'2001-01-01'"], kind) == expected


def test_what_is_empty_is_not_fresh(tmp_path):
    assert count(tmp_path, "{fresher_than: 7 days}", [], "TIMESTAMP") == 1
    assert count(tmp_path, "{fresher_than: 7 days}", ["null"], "DATE") == 1


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.integers(-5, 5)), max_size=20),
    low=st.integers(-5, 5),
    more=st.integers(0, 5),
)
def test_range_uniqueness_and_nulls_agree_with_python(tmp_path_factory, values, low, more):
    folder = tmp_path_factory.mktemp("kinds", numbered=True)
    tests = declared(folder, f"columns: [{{name: x, tests: [{{in_range: [{low}, {low + more}]}}, unique, not_null]}}]")
    known = [value for value in values if value is not None]
    with duckdb.connect() as connection:
        connection.execute("create table t as select unnest(?::integer[]) as x", [values])
        found = [run_test(connection, "t", "t", test) for test in tests]
    assert [failure.count if failure else 0 for failure in found] == [
        sum(not low <= value <= low + more for value in known),
        sum(known.count(value) > 1 for value in set(known)),
        len(values) - len(known),
    ]


# Thresholds.


@pytest.mark.parametrize(
    ("options", "rows", "outcome"),
    [
        ("", 0, "pass"),
        ("", 1, "fail"),
        ("severity: warn", 1, "warn"),
        ("severity: warn, warn_if: 3", 2, "pass"),
        ("severity: warn, warn_if: 3", 3, "warn"),
        ("error_if: 3", 2, "warn"),
        ("error_if: 3", 3, "fail"),
        ("warn_if: 2, error_if: 3", 1, "pass"),
        ("warn_if: 2, error_if: 3", 2, "warn"),
        ("warn_if: 2, error_if: 3", 5, "fail"),
    ],
)
def test_thresholds(tmp_path, options, rows, outcome):
    (test,) = declared(tmp_path, f"columns: [{{name: x, tests: [{{not_null: {{{options}}}}}]}}]")
    with duckdb.connect() as connection:
        connection.execute(f"create table t as select null as x from range({rows})")
        failure = run_test(connection, "t", "t", test)
    assert ("pass" if failure is None else "fail" if failure.blocks else "warn") == outcome


# What a stage declares.


def test_a_key_is_tested_and_the_stages_own_word_counts_before_that(tmp_path):
    tests = declared(tmp_path, "unique_key: [a, b]\ncolumns: [{name: a, tests: [{not_null: {severity: warn}}]}]")
    assert [(test.name, test.options.severity) for test in tests] == [
        ("not_null a", "warn"),
        ("unique a b", "error"),
        ("not_null b", "error"),
    ]


def test_names_are_unique_within_a_stage(tmp_path):
    named = "{sql: {condition: a > 3, name: SQL}}, {sql: {condition: a > 4, name: big}}"
    tests = declared(tmp_path, f"tests: [{{sql: a > 1}}, {{sql: a > 2}}, {named}]")
    assert [test.name for test in tests] == ["sql", "sql 2", "SQL 3", "big"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_that_an_error_gives_is_right(tmp_path, kind):
    example = KINDS[kind].example.removeprefix("- ")
    example = example if ":" not in example else f"{{{example}}}"
    place = "columns: [{name: x, tests: [%s]}]" if "column" in KINDS[kind].of else "tests: [%s]"
    (test,) = declared(tmp_path, place % example)
    assert test.kind == kind


@pytest.mark.parametrize(
    ("yaml", "place", "what", "hint"),
    [
        ("columns: [{name: x, tests: [uniqe]}]", "2:29", "unknown data test 'uniqe'", "'unique'"),
        ("tests: [not_null]", "2:9", "belongs to a column", "columns"),
        ("columns: [{name: x, tests: [{row_count: {min: 1}}]}]", "2:30", "belongs to the stage", "tests:"),
        ("tests: [{row_count: {mim: 1}}]", "2:22", "unknown key 'mim'", "'min'"),
        ("tests: [{row_count: {min: a}}]", "2:22", "min: Input should be a valid integer", None),
        ("tests: [{row_count: {min: 5, max: 1}}]", "2:10", "`min` (5) is above `max` (1)", None),
        ("columns: [{name: x, tests: [{in_range: [1, 0.5]}]}]", "2:30", "`min` (1) is above `max` (0.5)", None),
        ("columns: [{name: x}, {name: X}]", "2:1", "columns: the column 'x' stands twice", None),
        ("tags: slow", "2:1", "tags: Input should be a list, not 'slow'", None),
        ("tests: [{row_count: 5}]", "2:10", "wrong options: 5", "{min: 1}"),
        ("tests: [{row_count: {min: 1}, sql: x}]", "2:9", "is one test", None),
        ("columns: [{name: x, tests: [{in_range: [0]}]}]", "2:30", "wrong options: [0]", "[0, 1]"),
        ("columns: [{name: x, tests: [{in_range: {severity: warn}}]}]", "2:30", "`min` or `max` is needed", None),
        ("columns: [{name: x, tests: [{in_range: [0, .nan]}]}]", "2:30", "finite", None),
        ("columns: [{name: x, tests: [{accepted_values: []}]}]", "2:30", "values", None),
        ("columns: [{name: x, tests: [{fresher_than: soon}]}]", "2:30", "wrong options: 'soon'", "7 days"),
        ("columns: [{name: x, tests: [{fresher_than: 3 moons}]}]", "2:30", "unknown key 'moons'", None),
        ("columns: [{name: x, tests: [{fresher_than: inf days}]}]", "2:30", "days: Input should be a finite", None),
        ("columns: [{name: x, tests: [{fresher_than: {days: 0}}]}]", "2:30", "an age is needed", None),
        ("columns: [{name: x, tests: [{not_null: {severity: eror}}]}]", "2:41", "severity", "error"),
        ("columns: [{name: x, tests: [{not_null: {warn_if: 0}}]}]", "2:41", "greater than or equal to 1", None),
        ("columns: [{name: x, tests: [{not_null: {warn_if: 5}}]}]", "2:30", "`warn_if` has no effect", None),
        ("columns: [{name: x, tests: [{not_null: {severity: warn, error_if: 5}}]}]", "2:30", "`error_if` has no", None),
        ("columns: [{name: x, tests: [{not_null: {name: 'a;b'}}]}]", "2:41", "name", None),
        ("columns: [{name: x, tests: [{relationships: {to: y}}]}]", "2:30", "'field' is missing", None),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, yaml, place, what, hint):
    with pytest.raises(ProjectError) as caught:
        declared(tmp_path, yaml)
    error = caught.value
    assert what in error.what
    assert f"{error.where.line}:{error.where.column}" == place
    assert hint is None or hint in (error.hint or "")


def test_a_test_that_cannot_run_says_where_it_stands(tmp_path):
    with pytest.raises(StageError) as caught:
        count(tmp_path, "{fresher_than: 7 days}", ["'a'"], "VARCHAR")
    assert caught.value.what.startswith("t: the test 'fresher_than x' cannot run:")
    assert (caught.value.where.line, caught.value.where.column) == (2, 30)

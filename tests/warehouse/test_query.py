"""Read-only SQL over the tables of a warehouse."""

import shutil

import pytest

from hnm.api import Project
from hnm.errors import QueryError, WarehouseError
from hnm.warehouse.query import query


@pytest.fixture(scope="module")
def project(_built_once):
    """A built project that no test here may change; each test finds it as it was."""
    return Project.load(_built_once)


@pytest.fixture(autouse=True)
def nothing_is_written(project):
    def files():
        return {path: path.stat().st_mtime_ns for path in project.manifest.root.rglob("*") if path.is_file()}

    before = files()
    yield
    assert files() == before


def rows(project, sql, *values):
    return [tuple(row.values()) for row in project.query(sql, values).to_pylist()]


def refused(project, sql):
    with pytest.raises(QueryError) as caught:
        project.query(sql)
    return caught.value


# What can be read.


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select count(*) from documents", [(4,)]),
        ("select count(*) from DOCUMENTS", [(4,)]),
        ("select count(*) from main.documents", [(4,)]),
        ("select count(*) from shelf.corpus", [(4,)]),
        ("select count(*) from vectors", [(4,)]),
        ("select count(*) from Vectors", [(4,)]),
        ('select count(*) from "vectors" v join documents d using (doc_id)', [(4,)]),
        ("with vectors as (select 1) select count(*) from vectors", [(1,)]),
        ("select (select max(vector[1]) from vectors)", [(5.0,)]),
        ("from vectors select count(*)", [(4,)]),
        ("select count(*) from documents where exists (from vectors v where v.doc_id = documents.doc_id)", [(4,)]),
        ("select status from _hnm.runs", [("success",)]),
        ("select count(*) from _hnm.materializations", [(6,)]),
        ("-- a comment\nselect 1;", [(1,)]),
        ("values (1), (2)", [(1,), (2,)]),
    ],
)
def test_tables_of_both_kinds(project, sql, expected):
    assert rows(project, sql) == expected


@pytest.mark.parametrize("sql", ["show tables", "describe documents", "summarize documents", "explain select 1"])
def test_looking_around(project, sql):
    assert project.query(sql).num_rows >= 1


def test_sql_that_only_duckdb_can_parse_still_finds_lance_tables(project):
    assert rows(project, "from vectors select count(*) where list_transform([1], lambda x: x + 1) = [2]") == [(4,)]
    assert rows(project, "select columns(lambda c: c = 'doc_id') from vectors order by all limit 1") == [("d1",)]


@pytest.mark.parametrize("value", ["d1", "x' or '1' = '1", None, "ü"])
def test_values_are_bound(project, value):
    found = rows(project, "select doc_id from documents where doc_id = ?", value)
    assert found == ([("d1",)] if value == "d1" else [])


def test_several_values_in_turn(project):
    assert rows(project, "select ? as a, ? as b, ? as c", 1, "x", [1.5]) == [(1, "x", [1.5])]


def test_columns_of_the_same_name_are_told_apart(project):
    table = project.query("select 1 as a, 2 as a, 3 as A")
    assert len({name.lower() for name in table.schema.names}) == 3
    assert rows(project, "select * from documents a join documents b using (text) where a.doc_id = 'd1'") == [
        ("d1", "a b c", "d1")
    ]


def test_rows_are_streamed(project):
    with query(project.warehouse, "select range as n from range(1000000)") as found:
        assert found.read_next_batch().num_rows <= 65_536


# What cannot.


@pytest.mark.parametrize(
    "sql",
    [
        "create table x as select 1",
        "create temp table x as select 1",
        "create view x as select 1",
        "create macro x() as 1",
        "drop table documents",
        "insert into documents values ('x', 'y')",
        "update documents set text = ''",
        "delete from documents",
        "truncate documents",
        "alter table documents add column x int",
        "copy documents to 'out.csv'",
        "copy documents from 'out.csv'",
        "export database 'out'",
        "attach 'out.duckdb' as out",
        "detach hnm",
        "install httpfs",
        "load httpfs",
        "set memory_limit = '1GB'",
        "set enable_external_access = true",
        "pragma enable_external_access = true",
        "reset enable_external_access",
        "use _hnm",
        "checkpoint",
        "vacuum",
        "begin",
        "prepare x as select 1",
        "call force_checkpoint()",
    ],
)
def test_nothing_but_reading(project, sql):
    assert "read-only" in refused(project, sql).what


def test_a_pivot_names_its_values(project):
    error = refused(project, "pivot documents on doc_id using count(*)")
    assert "PIVOT has to name the values" in error.what
    found = project.query("pivot documents on doc_id in ('d1', 'd2') using count(*)")
    assert found.column_names == ["text", "d1", "d2"]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from '/etc/passwd'",
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from read_parquet('x.parquet')",
        "select * from glob('/etc/*')",
        "select * from 'https://example.com/x.csv'",
        "select * from read_json('http://127.0.0.1:1/x.json')",
        "explain analyze copy (select 1) to 'out.csv'",
        "explain analyze insert into documents values ('x', 'y')",
        "explain analyze create table x as select 1",
        "import database 'out'",
        "pragma import_database('/tmp')",
        "select * from sqlite_scan('x', 'y')",
        "from query('copy (select 1) to ''out.csv''')",
        "select * from query_table(['/etc/passwd'])",
    ],
)
def test_no_file_and_no_address_is_reached(project, sql):
    error = refused(project, sql)
    assert "root:" not in str(error)


@pytest.mark.parametrize("name", ["project", "warehouse", "sql", "values", "state", "connection", "rows"])
def test_python_variables_are_no_tables(project, name):
    assert f"Table with name {name} does not exist" in refused(project, f"select * from {name}").what


def test_one_query_at_a_time(project):
    assert "one query at a time, not 2" in refused(project, "select 1; select 2").what
    assert "one query at a time, not 0" in refused(project, "-- nothing").what


# What was meant.


@pytest.mark.parametrize(
    ("sql", "what", "hint"),
    [
        ("select * from long_document", "long_document", "'long_documents'"),
        ("select * from vector", "vector", "'vectors'"),
        ("select * from zzzzzz", "zzzzzz", "hnm ls"),
        ("select nope from documents", "nope", None),
        ("selec 1", "syntax error", None),
        ("select 'a'::integer", "Could not convert", None),
        ("select nofunction(1)", "nofunction", None),
        ("select error('stop')", "stop", None),
        ("select error('Corrupt database file: computed checksum')", "Corrupt database file", None),
    ],
)
def test_what_fails_says_why(project, sql, what, hint):
    error = refused(project, sql)
    assert what in error.what
    assert hint is None or hint in str(error.hint)
    assert "damaged" not in str(error)


def test_a_lance_table_whose_folder_is_gone_is_told_as_such(built):
    shutil.rmtree(built.root / "data/warehouse/lance/vectors.lance")
    error = refused(built.load(), "select * from vectors")
    assert error.hint == "its files are gone: `hnm run --select vectors` builds it anew"


def test_a_stage_that_was_not_built_yet_is_told_with_the_command_that_builds_it(built):
    (built.root / "pipelines/later.yml").write_text("stages: [{name: later, description: Not yet}]\n")
    (built.root / "sql/later.sql").write_text("select * from {{ ref('documents') }}\n")
    later = built.load()
    assert str(refused(later, "select * from later")).splitlines() == [
        "later has not been built yet", "  hint: `hnm run --select +later` builds it",
    ]  # fmt: skip
    assert "'later'" in str(refused(later, "select * from latr").hint)


def test_a_failure_in_a_late_batch_is_one_too(project):
    sql = "select (case when range = 900000 then 'x' else '1' end)::integer as n from range(1000000)"
    assert "Could not convert" in refused(project, sql).what


def test_a_value_that_is_missing(project):
    assert refused(project, "select ?")


def test_an_unbuilt_warehouse(tiny):
    with pytest.raises(WarehouseError) as caught:
        tiny.load().query("select 1")
    assert "hnm run" in caught.value.hint

"""Declared columns and types hold for every kind of stage."""

from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.engine.contract import check_contract
from hnm.errors import Location, StageError
from hnm.project.config import ColumnConfig, StageConfig
from hnm.project.manifest import Node, SqlText
from hnm.warehouse.digest import table_columns

PIPELINE = "pipelines/tiny.yml"

VECTORS = """
from hnm.transform import Params, transform


class VectorParams(Params):
    width: int = 3
    fixed: bool = True


@transform(params=VectorParams)
def unit_vectors(inputs, params, context):
    import pyarrow as pa

    kind = pa.list_(pa.float32(), params.width) if params.fixed else pa.list_(pa.float32())
    rows = pa.array([[1.0] * params.width], kind)
    yield pa.RecordBatch.from_arrays([pa.array(["a"]), rows], names=["id", "vector"])
"""


def error_of(tiny, stage):
    return next(result.error for result in tiny.run(f"+{stage}").results if result.name == stage)


def check(column, declared, **columns):
    """Hold a table with these columns to the declaration of one."""
    config = StageConfig(name="t", columns=(ColumnConfig(name=column, type=declared),))
    node = Node("t", "sql", config, Location(Path("t.yml"), 1), "table", (), SqlText(Path("t.sql"), "", ""))
    with duckdb.connect() as connection:
        connection.execute(f"create table t ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
        check_contract(connection, node, table_columns(connection, "t"))


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        (None, "INTEGER"),
        ("int4", "INTEGER"),
        ("signed", "INTEGER"),
        ("text", "VARCHAR"),
        ("string", "VARCHAR"),
        ("varchar(20)", "VARCHAR"),
        ("real [2]", "FLOAT[2]"),
        ("numeric", "DECIMAL(18,3)"),
        ("timestamptz", "TIMESTAMP WITH TIME ZONE"),
        ("struct(a int, b text[])", "STRUCT(a INTEGER, b VARCHAR[])"),
    ],
)
def test_aliases_are_equal_to_what_they_stand_for(declared, found):
    check("x", declared, x=found, y="DATE")


@pytest.mark.parametrize(
    ("declared", "found", "what"),
    [
        ("BIGINT", "INTEGER", "t.x is INTEGER, declared BIGINT"),
        ("FLOAT[3]", "FLOAT[2]", "t.x is FLOAT[2], declared FLOAT[3]"),
        ("FLOAT[]", "FLOAT[2]", "t.x is FLOAT[2], declared FLOAT[]"),
        ("DOUBLE[2]", "FLOAT[2]", "t.x is FLOAT[2], declared DOUBLE[2]"),
        ("FLOAT[x]", "FLOAT[2]", "t.x: 'FLOAT[x]' is no DuckDB type"),
        ("vektor", "FLOAT[2]", "t.x: 'vektor' is no DuckDB type"),
    ],
)
def test_another_type_breaks_the_contract(declared, found, what):
    with pytest.raises(StageError) as caught:
        check("x", declared, x=found)
    assert (caught.value.what, caught.value.where) == (what, Location(Path("t.yml"), 1))


def test_a_column_that_is_missing_breaks_the_contract():
    with pytest.raises(StageError, match="the declared column 'words' is missing") as caught:
        check("words", None, word="INTEGER")
    assert caught.value.hint == "did you mean 'word'?"


@pytest.mark.parametrize(
    ("stage", "columns", "what"),
    [
        ("long_documents", "[{name: words, type: BIGINT}]", "long_documents.words is INTEGER, declared BIGINT"),
        ("word_counts", "[{name: word}]", "word_counts: the declared column 'word' is missing"),
        ("vectors", "[{name: vector, type: 'FLOAT[3]'}]", "vectors.vector is FLOAT[2], declared FLOAT[3]"),
        ("vectors", "[{name: vector, type: 'real[2]'}]", None),
    ],
)
def test_what_breaks_its_contract_is_not_published(tiny, stage, columns, what):
    tiny.edit(PIPELINE, f"- name: {stage}\n", f"- name: {stage}\n    columns: {columns}\n")
    error = error_of(tiny, stage)
    assert (error.what if error else None) == what
    assert (stage in tiny.load().state()) == (what is None)


@pytest.mark.parametrize("materialized", ["table", "lance"])
@pytest.mark.parametrize(
    ("params", "what"),
    [
        ("{}", None),
        ("{width: 4}", "learnt.vector is FLOAT[4], declared FLOAT[3]"),
        ("{fixed: false}", "learnt.vector is FLOAT[], declared FLOAT[3]"),
    ],
)
def test_the_width_of_a_python_stages_vectors(tiny, materialized, params, what):
    tiny.write("vectors.py", VECTORS)
    tiny.stages(f"""
        stages:
          - name: learnt
            transform: vectors:unit_vectors
            params: {params}
            materialized: {materialized}
            columns: [{{name: vector, type: 'FLOAT[3]'}}]
    """)
    error = error_of(tiny, "learnt")
    assert (error.what if error else None) == what
    if error is None:
        assert tiny.rows("select typeof(vector) from learnt") == [("FLOAT[3]",)]


TYPES = st.recursive(
    st.sampled_from(["INTEGER", "FLOAT", "DOUBLE", "VARCHAR", "DATE", "TIMESTAMP", "DECIMAL(9,2)", "BOOLEAN"]),
    lambda inner: st.one_of(
        inner.map(lambda kind: f"{kind}[]"),
        st.tuples(inner, st.integers(1, 400)).map(lambda pair: f"{pair[0]}[{pair[1]}]"),
        inner.map(lambda kind: f"STRUCT(a {kind})"),
    ),
    max_leaves=3,
)


@settings(max_examples=30, deadline=None)
@given(TYPES, TYPES)
def test_a_type_equals_itself_in_any_case_and_no_other(declared, found):
    if declared == found:
        check("x", declared.lower(), x=found)
    else:
        with pytest.raises(StageError):
            check("x", declared.lower(), x=found)

"""Unit tests run on the stages' real code, in SQL and in Python, without a warehouse."""

from textwrap import dedent, indent

import pytest

from hnm.project.load import load_project

SPARE = """
from hnm.transform import Params, transform


@transform(params=Params, inputs=("left",), optional_inputs=("right",))
def neighbours(inputs, params, context):
    \"\"\"The first left vector's sum and how many rows are on the right; `context` works as in a run.\"\"\"
    import pyarrow as pa

    with context.progress("adding", 1) as advance:
        advance(1)
    (context.workdir / "part").write_text("x")
    table = inputs.table("select vector from \\"left\\" order by id")
    assert pa.types.is_fixed_size_list(table.schema.field("vector").type)
    right = inputs.count("right") if "right" in inputs else None
    yield pa.RecordBatch.from_pydict({"sum": pa.array([sum(table["vector"][0].as_py())], pa.float32())})
    yield pa.RecordBatch.from_pydict({"sum": pa.array([right], pa.float32())})


@transform(params=Params, inputs=("left",))
def failing(inputs, params, context):
    yield from ()
    raise KeyError("gone")


@transform(params=Params, inputs=("left",))
def silent(inputs, params, context):
    yield from ()


@transform(params=Params, inputs=("left",))
def missing_file(inputs, params, context):
    open("/nowhere/at/all")
    yield
"""
STAGES = """
sources: [{name: shelf, format: csv, tables: {corpus: {path: data/corpus.csv}}}]
stages:
  - name: items
    columns: [{name: id, type: VARCHAR}, {name: score, type: REAL}, {name: day, type: DATE}]
  - {name: best, unique_key: id}
  - {name: neighbours, transform: "spare:neighbours", inputs: {left: ref(items), right: ref(best)}}
  - {name: failing, transform: "spare:failing", inputs: {left: ref(items)}}
  - {name: silent, transform: "spare:silent", inputs: {left: ref(items)}}
  - {name: missing_file, transform: "spare:missing_file", inputs: {left: ref(items)}}
  - {name: not_one, description: two statements}
unit_tests:
"""
BEST = """
select
    id, score::double * {{ var('factor', 2) }} as doubled, score, day, [score, 1]::float[2] as pair,
    day + interval 1 day as next,
from {{ ref('items') }} where score > 0
"""


@pytest.fixture
def verdict(tiny):
    """Run one unit test, given as YAML, on a small project; what came of it."""

    def run(yaml):
        tiny.write("spare.py", SPARE)
        entry = indent(dedent(yaml).strip(), "    ").replace("    ", "  - ", 1)
        tiny.stages(
            f"{STAGES}{entry}\n",
            items="select doc_id as id, 1::real as score, current_date as day from {{ source('shelf', 'corpus') }}",
            best=BEST,
            not_one="select 1; select 2",
        )
        (only,) = tiny.load().unit_tests()
        assert not load_project(tiny.root).warehouse.exists()
        return only

    return run


def test_sql_with_values_of_every_sort(verdict):
    found = verdict("""
        name: sorts
        stage: best
        given:
          - input: ref(items)
            rows:
              - {id: a, score: 0.1, day: 2020-02-28}
              - {id: b, score: -1}
              - {id: c, score: 3, day: 2020-12-31}
              - {id: d}
        expect:
          rows:
            - {pair: [3, 1.0000001], doubled: 6, id: c, next: 2021-01-01, day: '2020-12-31', score: 3.0}
            - {id: a, doubled: 0.2, next: 2020-02-29, day: '2020-02-28', score: 0.1, pair: [0.1, 1]}
    """)
    assert (found.status, found.message) == ("pass", "")


def test_the_same_as_csv(verdict):
    found = verdict("""
        name: csv
        stage: best
        vars: {factor: 10}
        given:
          - input: ref('items')
            csv: |
              id,  score, day
              007, 0.5,   2020-02-28
              b,   ,
        expect:
          csv: |
            id,  doubled, day,        pair
            007, 5,       2020-02-28, "[0.5, 1]"
    """)
    assert (found.status, found.message) == ("pass", "")


@pytest.mark.parametrize("rows", ["rows: [{ID: 7, Score: 1}]", 'csv: "ID, Score\\n7, 1"'])
def test_a_column_has_its_declared_type_in_whatever_case_it_is_written(verdict, rows):
    expect = "{rows: [{id: '7', score: 1}]}"
    found = verdict(f"{{name: a, stage: best, given: [{{input: ref(items), {rows}}}], expect: {expect}}}")
    assert (found.status, found.message) == ("pass", "")


def test_a_failure_shows_what_differs(verdict):
    found = verdict("""
        name: wrong
        stage: best
        given: [{input: ref(items), rows: [{id: a, score: 1}, {id: b, score: 2}, {id: c, score: 3}]}]
        expect: {rows: [{id: a, doubled: 2}, {id: b, doubled: 5}, {id: z, doubled: 1}]}
    """)
    assert found.status == "fail"
    assert found.message.splitlines() == [
        "1 missing (-), 1 unexpected (+), 1 different (!)",
        "  id  doubled",
        "- z   1",
        "+ c   6",
        "! b   5 -> 4",
    ]


@pytest.mark.parametrize(("tolerance", "status"), [("0.01", "fail"), ("0.5", "pass")])
def test_numbers_are_compared_within_the_tolerance_and_never_rounded(verdict, tolerance, status):
    found = verdict(f"""
        name: near
        stage: best
        tolerance: {tolerance}
        given: [{{input: ref(items), rows: [{{id: a, score: 1}}]}}]
        expect: {{rows: [{{doubled: 2.4}}]}}
    """)
    assert found.status == status


def test_text_that_is_held_against_an_integer_is_not_rounded(tiny):
    given = "{input: ref(word_counts), rows: [{doc_id: a, words: 2}]}"
    tests = [
        f"{{name: is {n}, stage: long_documents, given: [{given}], expect: {{rows: [{{words: '{n}'}}]}}}}"
        for n in (2, 2.4)
    ]
    tiny.write("pipelines/tests.yml", f"unit_tests: [{', '.join(tests)}]")
    assert [found.status for found in tiny.load().unit_tests()] == ["pass", "fail"]


def test_no_rows_given_and_none_expected(verdict):
    found = verdict("""
        name: nothing
        stage: best
        given: [{input: ref(items), rows: []}]
        expect: {rows: []}
    """)
    assert found.status == "pass"


def test_rows_where_none_are_expected_are_shown_whole(verdict):
    found = verdict("""
        name: something
        stage: best
        given: [{input: ref(items), rows: [{id: a, score: 1}]}]
        expect: {rows: []}
    """)
    assert found.message.splitlines()[0] == "1 unexpected (+)"
    assert found.message.splitlines()[1].split() == ["id", "doubled", "score", "day", "pair", "next"]


def test_a_source_can_be_given(verdict):
    found = verdict("""
        name: from outside
        stage: items
        given: [{input: "source(shelf, corpus)", rows: [{doc_id: x}]}]
        expect: {rows: [{id: x}]}
    """)
    assert (found.status, found.message) == ("pass", "")


def test_python_reads_vectors_and_optional_inputs(verdict):
    given = "{input: ref(items), rows: [{id: a, vector: [1, 2]}], types: {vector: 'FLOAT[2]'}}"
    found = verdict(f"""
        name: vectors
        stage: neighbours
        given: [{given}]
        expect: {{rows: [{{sum: null}}, {{sum: 3}}]}}
    """)
    assert (found.status, found.message) == ("pass", "")
    found = verdict(f"""
        name: more
        stage: neighbours
        given: [{given}, {{input: ref(best), rows: [{{id: b}}, {{id: c}}]}}]
        expect: {{rows: [{{sum: 2}}, {{sum: 3}}]}}
    """)
    assert (found.status, found.message) == ("pass", "")


ITEMS = "given: [{input: ref(items), rows: [{id: a}]}]"


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        (f"stage: failing\n{ITEMS}\nexpect: {{rows: []}}", ["failing: KeyError: 'gone'"]),
        (f"stage: silent\n{ITEMS}\nexpect: {{rows: []}}", ["the transform yielded nothing", "hint: yield"]),
        (f"stage: missing_file\n{ITEMS}\nexpect: {{rows: []}}", ["No such file or directory"]),
        ("stage: not_one\nexpect: {rows: []}", ["a SQL stage is one SELECT"]),
        (f"stage: best\n{ITEMS}\nexpect: {{rows: [{{doubbled: 1}}]}}", ["no column 'doubbled'", "'doubled'"]),
        (f"stage: best\n{ITEMS}\nvars: {{factor: nope}}\nexpect: {{rows: []}}", ["best: Binder Error", "nope"]),
        (
            "stage: best\ngiven: [{input: ref(items), rows: [{id: a}, {id: [1]}]}]\nexpect: {rows: []}",
            ["these rows make no table"],
        ),
        (
            "stage: best\ngiven: [{input: ref(items), rows: [{score: much}]}]\nexpect: {rows: []}",
            ["the rows of 'items' do not have the types of its columns"],
        ),
        (
            "stage: best\ngiven: [{input: ref(items), rows: [{n: 99999999999999999999}]}]\nexpect: {rows: []}",
            ["these rows make no table"],
        ),
        ("stage: best\ngiven: [{input: ref(items), csv: 'id,id'}]\nexpect: {rows: []}", ["a column stands twice"]),
        ('stage: best\ngiven: [{input: ref(items), csv: "id\\n1,2"}]\nexpect: {rows: []}', ["make no table"]),
        ("stage: best\ngiven: [{input: ref(items), csv: ''}]\nexpect: {rows: []}", ["make no table"]),
        (
            "stage: neighbours\ngiven: [{input: ref(items), rows: []}]\nexpect: {rows: []}",
            ["neighbours: "],
        ),
        (f"stage: best\n{ITEMS.replace('{id: a}', '{id: a, score: 1}')}\nexpect: {{rows: [{{day: soon}}]}}", ["soon"]),
    ],
)
def test_what_goes_wrong_is_a_failed_test_with_words(verdict, yaml, words):
    found = verdict(f"name: a\n{yaml}")
    assert found.status == "fail"
    assert all(word in found.message for word in words), found.message
    assert "Traceback" not in found.message
    assert found.where.line is not None or found.where.path.suffix == ".sql"

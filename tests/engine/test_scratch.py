"""The DuckDB in memory in which a stage is built: one for each stage, and what is in it is in nobody's way."""

import duckdb

CHAIN = """
sources:
  - {name: shelf, format: csv, tables: {corpus: {path: data/corpus.csv}}}
stages:
  - {name: build, unique_key: doc_id}
  - name: delta
    unique_key: doc_id
    incremental: {key: doc_id, inputs: {build: doc_id}}
  - name: changed
    unique_key: doc_id
    incremental:
      key: doc_id
      inputs: {delta: {sql: select doc_id from changed union select doc_id from delta join changed using (doc_id)}}
  - {name: consumed, transform: "copying:copy", inputs: {inputs: ref(changed)}, unique_key: doc_id}
  - {name: memory, unique_key: doc_id, tests: [{sql: words <> ''}]}
"""
COPY = """
from hnm.transform import Params, transform

@transform(params=Params, inputs=("inputs",), optional_inputs=("previous",), scope="row")
def copy(inputs, params, context):
    context.record(before=inputs.count("previous") if "previous" in inputs else 0)
    yield from inputs.sql("select * from inputs order by doc_id")
"""


def count_connections(monkeypatch):
    """A list that gets the name of every database that is opened from now on."""
    connect, opened = duckdb.connect, []

    def counted(name, *arguments, **options):
        opened.append(name)
        return connect(name, *arguments, **options)

    monkeypatch.setattr(duckdb, "connect", counted)
    return opened


def test_a_stage_has_one_connection_beside_the_one_that_publishes_it(tiny, monkeypatch):
    tiny.run()
    tiny.edit("data/corpus.csv", "a b c d e", "a b c d e f")
    plan = (project := tiny.load()).plan()
    opened = count_connections(monkeypatch)
    built = [result.name for result in project.run(plan).results if result.outcome == "built"]
    assert len(built) == 6
    assert opened.count(":memory:") == len(built)
    # One to publish each; the state is read twice, and the run recorded at its start and at its end.
    assert len(opened) == 2 * len(built) + 4


def test_stages_may_be_called_as_what_the_engine_has_beside_them(tiny):
    tiny.write("copying.py", COPY)
    tiny.stages(
        CHAIN,
        build="select doc_id, text as words from {{ source('shelf', 'corpus') }}",
        delta="select * from {{ ref('build') }}",
        changed="select doc_id, lower(words) as words from {{ ref('delta') }}",
        memory="select * from {{ ref('consumed') }}",
    )
    assert set(tiny.outcomes().values()) == {"built"}
    tiny.edit("data/corpus.csv", "A a b", "A a z")
    run = tiny.run()
    assert [result.outcome for result in run.results] == ["built"] * 6
    reasons = {result.name: result.reason for result in run.results}
    assert reasons["delta"] == "input build ~1 rows (1 keys)"
    assert reasons["changed"] == "input delta ~1 rows (1 keys)"
    assert run.results[4].built.facts == {"before": 4}
    assert tiny.rows("select words from memory order by doc_id") == [("a b c",), ("a a",), ("a b c d e",), ("a a z",)]


def test_the_changes_of_a_lance_table_are_counted_by_the_connection_that_its_sql_has_shut(tiny):
    tiny.run()
    tiny.edit("data/corpus.csv", "a b c d e", "a b c d e f")
    assert "input vectors ~1 rows" in {result.name: result.reason for result in tiny.run().results}["report"]

"""Whole runs of a small project: what is built, what is left alone, what a failure does and does not do."""

import pyarrow as pa
import pytest

from hnm.errors import DataTestError, StageError

ALL_BUILT = dict.fromkeys(["shelf.corpus", "documents", "word_counts", "long_documents", "vectors", "report"], "built")
ALL_FRESH = dict.fromkeys(ALL_BUILT, "fresh")
PIPELINE = "pipelines/tiny.yml"


def versions(tiny):
    return {name: done.data_version for name, done in tiny.load().state().items()}


def invocations(tiny):
    return {name: done.invocation_id for name, done in tiny.load().state().items()}


def failure(tiny, *select):
    """The error of the one stage that fails."""
    (failed,) = [result for result in tiny.run(*select).results if result.outcome == "failed"]
    return failed.error


# What runs.


def test_the_first_run_builds_everything(tiny):
    result = tiny.run()
    assert result.ok
    assert {stage.name: stage.outcome for stage in result.results} == ALL_BUILT
    assert {stage.reason for stage in result.results} == {"never built"}
    assert [stage.row_count for stage in result.results] == [4, 4, 4, 3, 4, 1]
    assert tiny.rows("select * from long_documents order by doc_id") == [("d1", 3), ("d3", 5), ("d4", 2)]
    assert tiny.rows("select * from report") == [(3, 5.0)]


def test_the_second_run_does_nothing(built):
    before = invocations(built)
    assert built.outcomes() == ALL_FRESH
    assert invocations(built) == before


def test_a_changed_threshold_reruns_only_what_is_below(built):
    built.edit("project.yml", "{least: 2}", "{least: 3}")
    result = built.run()
    assert {stage.name for stage in result.results if stage.outcome == "built"} == {"long_documents", "report"}
    assert {stage.name: stage.reason for stage in result.results}["long_documents"] == "var least 2 -> 3"
    assert built.rows("select * from report") == [(2, 5.0)]


def test_a_var_of_the_command_line_counts_like_any_other(built):
    assert built.outcomes(least=4)["report"] == "built"
    assert built.rows("select documents from report") == [(1,)]
    assert built.outcomes(least=4) == ALL_FRESH
    assert built.outcomes()["report"] == "built"


def test_what_is_rebuilt_with_equal_content_leaves_its_children_fresh(built):
    before = versions(built)
    built.edit("sql/documents.sql", "doc_id, text", "doc_id, text || '' as text")
    assert built.outcomes() == {**ALL_FRESH, "documents": "built"}
    assert versions(built) == before


def test_comments_and_layout_run_nothing(built):
    built.edit("sql/documents.sql", "select", "-- which documents\nselect\n ")
    built.edit(PIPELINE, "name: documents", "name: documents\n    description: All that we have")
    assert built.outcomes() == ALL_FRESH


def test_a_changed_file_of_a_source_runs_what_reads_it(built):
    built.edit("data/corpus.csv", "a b c d e", "a b c d e f")
    assert built.outcomes() == ALL_BUILT
    assert built.rows("select most from report") == [(6.0,)]


def test_a_file_that_was_only_touched_runs_nothing(built):
    path = built.root / "data/corpus.csv"
    path.write_bytes(path.read_bytes())
    assert built.outcomes() == ALL_FRESH


def test_rows_in_another_order_are_the_same_content(built):
    header, *lines = (built.root / "data/corpus.csv").read_text().splitlines()
    built.write("data/corpus.csv", "\n".join([header, *reversed(lines)]) + "\n")
    assert built.outcomes() == {**ALL_FRESH, "shelf.corpus": "built"}


def test_full_refresh_builds_what_is_selected(built):
    result = built.run("word_counts+", full_refresh=True)
    assert {stage.outcome for stage in result.results} == {"built"}
    assert [stage.name for stage in result.results] == ["word_counts", "long_documents", "vectors", "report"]


def test_a_selection_runs_no_more_than_that(tiny):
    assert tiny.outcomes("+documents") == {"shelf.corpus": "built", "documents": "built"}
    assert tiny.outcomes("report") == {"report": "blocked"}
    assert "long_documents" not in tiny.load().state()


def test_two_targets_do_not_share_anything(built):
    prod = built.load("prod")
    assert prod.state() == {}
    assert prod.run().ok
    assert prod.query("select documents from report").to_pylist() == [{"documents": 2}]
    assert built.rows("select documents from report") == [(3,)]


def test_a_table_that_was_dropped_by_hand_is_built_again(built):
    with built.load().warehouse.database.writing() as connection:
        connection.execute("drop table long_documents")
    assert built.outcomes() == {**ALL_FRESH, "long_documents": "built"}


def test_a_plan_is_what_runs(tiny):
    project = tiny.load()
    plan = project.plan(["+documents"])
    assert [result.name for result in project.run(plan).results] == ["shelf.corpus", "documents"]


def test_an_old_plan_runs_as_it_was_made_and_does_no_harm(tiny):
    project = tiny.load()
    plan = project.plan()
    assert project.run(plan).ok
    assert project.run(plan).ok
    assert tiny.outcomes() == ALL_FRESH


def test_a_plan_whose_warehouse_is_gone_fails_in_words(built):
    import shutil

    project = built.load()
    plan = project.plan()
    shutil.rmtree(project.warehouse.folder)
    result = project.run(plan)
    assert not result.ok
    assert {type(stage.error) for stage in result.results if stage.outcome == "failed"} == {StageError}
    assert built.outcomes() == ALL_BUILT


# History.


def test_each_run_and_each_stage_is_recorded(tiny):
    first = tiny.run()
    tiny.write("sql/vectors.sql", "select nope from {{ ref('word_counts') }}")
    second = tiny.run()
    assert tiny.rows("select invocation_id, target, status from _hnm.runs order by started_at") == [
        (first.invocation_id, "dev", "success"),
        (second.invocation_id, "dev", "failed"),
    ]
    stages = "select stage, status from _hnm.run_stages where invocation_id = ?"
    recorded = dict(tiny.rows(stages, second.invocation_id))
    assert recorded == {**ALL_FRESH, "vectors": "failed", "report": "skipped"}
    messages = tiny.rows("select message from _hnm.run_stages where status = 'failed'")
    assert "nope" in messages[0][0]


def test_what_a_stage_was_made_from_is_kept(built):
    done = built.load().state()["long_documents"]
    assert done.components["var least"] == "2"
    assert done.components["input word_counts"] == versions(built)["word_counts"]
    assert dict(done.columns) == {"doc_id": "VARCHAR", "words": "INTEGER"}
    assert done.row_count == 3


# Failures.


def test_a_failure_skips_only_what_is_below_it(tiny):
    tiny.edit("sql/long_documents.sql", "words >=", "wrds >=")
    assert tiny.outcomes() == {**ALL_BUILT, "long_documents": "failed", "report": "skipped"}
    tiny.edit("sql/long_documents.sql", "wrds >=", "words >=")
    assert tiny.outcomes() == {**ALL_FRESH, "long_documents": "built", "report": "built"}


def test_a_failure_leaves_the_last_good_state(built):
    before, rows = versions(built), built.rows("select * from long_documents order by all")
    built.edit("sql/long_documents.sql", "doc_id, words", "doc_id, words / 0 as w, error('no') as x")
    assert built.outcomes() == {**ALL_FRESH, "long_documents": "failed", "report": "skipped"}
    assert (versions(built), built.rows("select * from long_documents order by all")) == (before, rows)
    assert built.rows("select * from report") == [(3, 5.0)]


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
    error = failure(tiny)
    assert words in str(error)
    assert error.where.path == tiny.root / "target/compiled/report.sql"
    assert error.where.line == line


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
    error = failure(tiny)
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


# Python transforms.

STAGE = """
    sources: [{name: shelf, format: csv, tables: {corpus: {path: data/corpus.csv}}}]
    stages: [{name: mine, transform: "mine:make", inputs: {texts: "source(shelf, corpus)"}}]
"""
LONE_STAGE = 'stages: [{name: mine, transform: "mine:make"}]'
HEAD = """\
from hnm.transform import Params, transform


@transform(params=Params, optional_inputs=("texts",))
def make(inputs, params, context):
    import pyarrow as pa

    def batch(**columns):
        return pa.RecordBatch.from_pydict(columns)

"""


@pytest.fixture
def mine(tiny):
    """A project with one Python stage; `mine(body)` writes the transform's body, which may read `texts`."""

    def write(body):
        tiny.stages(STAGE if "texts" in body else LONE_STAGE)
        lines = "\n".join("    " + line for line in body.splitlines())
        (tiny.root / "mine.py").write_text(HEAD + lines + "\n")
        return tiny

    return write


def test_what_a_transform_may_yield(mine):
    tiny = mine("yield batch(a=[1, 2])\nyield pa.table({'a': [3]})\nyield batch(a=pa.array([], pa.int64()))")
    assert tiny.run().ok
    assert tiny.rows("select a from mine order by a") == [(1,), (2,), (3,)]


def test_no_rows_are_a_table_too(mine):
    tiny = mine("yield batch(a=pa.array([], pa.string()))")
    assert tiny.run().ok
    assert tiny.load().query("select * from mine").schema == pa.schema([("a", pa.string())])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("yield from ()", "yielded nothing"),
        ("return None", "NoneType"),
        ("yield 5", "yielded a int"),
        ("yield [{'a': 1}]", "yielded a list"),
        ("yield batch(a=[1])\nyield 'x'", "yielded a str"),
        ("return batch(a=[1])", "yielded a"),
        ("yield pa.table({})", "column"),
        ("yield batch(a=[1], b=['x'])\nyield batch(b=['y'], a=[2])", "columns"),
        ("yield batch(a=[1])\nyield batch(z=[2])", "columns"),
        ("yield batch(a=[1])\nyield batch(a=['2'])", "columns"),
        ("yield batch(a=[1])\nyield batch(a=[2], b=[3])", "columns"),
        ("yield batch(a=[1], A=[2])", "'A' twice"),
        ("yield pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=['a', 'a'])", "'a' twice"),
    ],
)
def test_what_a_transform_may_not_yield(mine, body, words):
    tiny = mine(body)
    error = failure(tiny)
    assert isinstance(error, StageError)
    assert words in str(error)
    assert "mine" not in tiny.load().state()


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("yield batch(a=[1])\nraise ValueError('no good')", 12, "ValueError: no good"),
        ("raise KeyError('k')\nyield", 11, "KeyError: 'k'"),
        ("1 / 0\nyield", 11, "ZeroDivisionError"),
        ("raise AssertionError\nyield", 11, "AssertionError"),
        ("yield pa.RecordBatch.from_pydict({'a': [1, 'x']})", 11, "ArrowInvalid"),
        ("yield pa.Table.from_batches(inputs.sql('select nope from texts'))", 11, "nope"),
    ],
)
def test_a_transform_that_raises(mine, body, line, words):
    tiny = mine(body)
    error = failure(tiny)
    assert words in str(error)
    assert error.where.path == tiny.root / "mine.py"
    assert error.where.line == line
    assert "mine" not in tiny.load().state()


def test_an_error_that_a_transform_words_itself_stays_as_it_is(mine):
    tiny = mine("from hnm.errors import SourceError\nraise SourceError('what', why='why', hint='hint')\nyield")
    error = failure(tiny)
    assert (error.what, error.why, error.hint) == ("what", "why", "hint")


def test_the_traceback_of_a_transform_is_kept(mine):
    tiny = mine("raise ValueError('no good')\nyield")
    result = tiny.run()
    (log,) = (tiny.root / "target/logs").rglob(f"*{result.invocation_id}*.log")
    assert "Traceback" in log.read_text()
    assert "no good" in log.read_text()


def test_inputs_are_copied_so_that_the_warehouse_is_free(mine):
    tiny = mine(
        "import duckdb, pathlib\n"
        "path = pathlib.Path(context.root) / 'data/warehouse/hnm.duckdb'\n"
        "rows = inputs.sql('select doc_id from texts', batch_rows=1)\n"
        "first = next(rows)\n"
        "with duckdb.connect(str(path)) as writer:\n"
        "    writer.execute('create table beside as select 1 as x').fetchall()\n"
        "yield first\n"
        "yield from rows"
    )
    assert tiny.run().ok
    assert tiny.rows("select count(*) from mine") == [(4,)]


def test_facts_and_bad_rows_are_kept_with_the_stage(mine):
    tiny = mine(
        "from pathlib import Path\n"
        "from hnm.errors import Location\n"
        "context.record(dropped=2)\n"
        "context.bad_row(Location(Path('a.csv'), 7), 'no id', 'x,y')\n"
        "yield batch(a=[1])"
    )
    (result,) = tiny.run().results
    assert (result.outcome, result.quarantined) == ("built", 1)
    assert tiny.load().state()["mine"].facts["dropped"] == 2
    assert tiny.rows("select stage, file, line, reason, excerpt from _hnm.quarantine") == [
        ("mine", "a.csv", 7, "no id", "x,y")
    ]


def test_quarantined_rows_of_a_source(tiny):
    tiny.edit(PIPELINE, "path: data/corpus.csv", "path: data/corpus.csv, on_bad_rows: quarantine")
    tiny.edit("data/corpus.csv", "d2,two,a a", "d2,two,a a\nd2,two,again\n,no id,x")
    result = tiny.run()
    assert result.ok
    assert result.results[0].quarantined == 2
    found = tiny.rows("select stage, line, reason from _hnm.quarantine order by line")
    assert [(stage, line) for stage, line, _ in found] == [("shelf.corpus", 4), ("shelf.corpus", 5)]
    tiny.edit("data/corpus.csv", "\nd2,two,again\n,no id,x", "")
    assert tiny.run().ok
    assert tiny.rows("select * from _hnm.quarantine") == []


def test_bad_rows_that_are_refused_fail_the_source(tiny):
    tiny.edit("data/corpus.csv", "d2,two,a a", ",two,a a")
    result = tiny.run()
    assert [stage.outcome for stage in result.results] == ["failed", *["skipped"] * 5]
    assert "doc_id" in str(result.results[0].error)
    assert tiny.rows("select * from _hnm.quarantine") == []


def test_a_source_file_that_is_missing(tiny):
    (tiny.root / "data/corpus.csv").unlink()
    from hnm.errors import SourceError

    with pytest.raises(SourceError, match="no such file"):
        tiny.run()


# Contract and data tests.


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
    error = failure(tiny)
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


def test_a_test_that_cannot_run_fails_the_stage_in_words(tiny):
    tiny.stages("stages: [{name: report, tests: [{sql: nope > 0}]}]", report="select 1 as x")
    error = failure(tiny)
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
    assert "unique doc_id" in failure(tiny).why


# Lance.


def test_a_lance_table_gets_a_version_only_when_its_content_changed(built):
    first = built.load().state()["vectors"]
    assert (built.root / "data/warehouse" / first.location).is_dir()
    built.edit("sql/vectors.sql", "[words, 1]", "[words, 1 + 0]")
    assert built.outcomes()["vectors"] == "built"
    assert built.load().state()["vectors"].lance_version == first.lance_version
    built.edit("sql/vectors.sql", "[words, 1 + 0]", "[words, 2]")
    assert built.outcomes()["vectors"] == "built"
    assert built.load().state()["vectors"].lance_version > first.lance_version
    assert built.rows("select vector from vectors where doc_id = 'd1'") == [([3.0, 2.0],)]


def test_the_old_version_is_read_until_the_new_one_is_published(built):
    built.edit(PIPELINE, "materialized: lance", "materialized: lance\n    tests: [{row_count: {min: 100}}]")
    built.edit("sql/vectors.sql", "[words, 1]", "[words, 2]")
    assert built.outcomes()["vectors"] == "failed"
    assert built.rows("select vector from vectors where doc_id = 'd1'") == [([3.0, 1.0],)]


def test_an_empty_lance_table(tiny):
    tiny.edit("sql/vectors.sql", "from", "from (select * from")
    tiny.edit("sql/vectors.sql", "}}", "}}) where false")
    assert tiny.run().ok
    assert tiny.rows("select count(*) from vectors") == [(0,)]


def test_what_lance_cannot_hold_fails_the_stage_in_words(tiny):
    tiny.edit("sql/vectors.sql", "doc_id,", "doc_id, interval 1 day as age,")
    assert "Interval" in str(failure(tiny))


def test_a_stage_moves_from_table_to_lance_and_back(built):
    built.edit(PIPELINE, "materialized: lance", "materialized: table")
    assert built.outcomes()["vectors"] == "built"
    built.edit("sql/vectors.sql", "[words, 1]", "[words, 7]")
    built.edit(PIPELINE, "materialized: table", "materialized: lance")
    assert built.outcomes()["vectors"] == "built"
    assert built.rows("select vector[2] from vectors limit 1") == [(7.0,)]
    assert built.rows("select * from duckdb_tables() where table_name = 'vectors'") == []
    assert built.rows("select documents from report") == [(3,)]


def test_a_lance_version_that_was_removed_is_said_so(built):
    import shutil

    shutil.rmtree(built.root / "data/warehouse/lance/vectors.lance/_versions")
    built.write("sql/report.sql", "select * from {{ ref('vectors') }}")
    error = failure(built, "report")
    assert "vectors" in error.what
    assert "--full-refresh" in error.hint
    assert built.run("vectors", "report", full_refresh=True).ok


# Models.

MODEL = """
sources: [{name: shelf, format: csv, tables: {corpus: {path: data/corpus.csv}}}]
stages:
  - {name: ranker, transform: "training:train", inputs: {texts: "source(shelf, corpus)"}, params: {seed: 1}}
  - {name: ranked, transform: "training:rank", inputs: {model: ref(ranker)}}
"""
TRAINING = """
import pyarrow as pa

from hnm.transform import Params, transform


class TrainParams(Params):
    seed: int = 0


@transform(params=TrainParams, inputs=("texts",), produces="model")
def train(inputs, params, context):
    context.model_folder.mkdir(parents=True, exist_ok=True)
    (context.model_folder / "weights").write_text(str(params.seed % 2))
    (context.model_folder / "README.md").write_text(str(params.seed))
    yield pa.RecordBatch.from_pydict({"step": [1], "loss": [0.5]})


@transform(params=Params, inputs=("model",))
def rank(inputs, params, context):
    weights = (inputs.model("model") / "weights").read_text()
    yield pa.RecordBatch.from_pydict({"weights": [weights]})
"""


def test_a_model_is_published_by_its_content(tiny):
    tiny.stages(MODEL)
    tiny.write("training.py", TRAINING)
    assert tiny.outcomes() == {"shelf.corpus": "built", "ranker": "built", "ranked": "built"}
    first = tiny.load().state()["ranker"]
    assert (tiny.root / "data/warehouse" / first.location / "weights").read_text() == "1"
    assert tiny.rows("select * from ranker") == [(1, 0.5)]
    tiny.edit(PIPELINE, "seed: 1", "seed: 3")
    assert tiny.outcomes() == {"shelf.corpus": "fresh", "ranker": "built", "ranked": "fresh"}
    assert tiny.load().state()["ranker"].location == first.location
    tiny.edit(PIPELINE, "seed: 3", "seed: 4")
    assert tiny.outcomes() == {"shelf.corpus": "fresh", "ranker": "built", "ranked": "built"}
    assert tiny.rows("select weights from ranked") == [("0",)]
    assert tiny.load().state()["ranker"].location != first.location


def test_a_model_folder_that_was_removed_is_trained_again(tiny):
    import shutil

    tiny.stages(MODEL)
    tiny.write("training.py", TRAINING)
    tiny.run()
    shutil.rmtree(tiny.root / "data/warehouse/models")
    assert tiny.outcomes() == {"shelf.corpus": "fresh", "ranker": "built", "ranked": "fresh"}


def test_a_training_that_leaves_no_model_fails(tiny):
    tiny.stages(MODEL)
    tiny.write("training.py", "\n".join(line for line in TRAINING.splitlines() if "write_text" not in line))
    error = failure(tiny)
    assert "left no model" in error.what


# The place to work.


def test_nothing_is_left_in_the_work_folder(built):
    assert [path for path in (built.root / "data/warehouse/work").rglob("*") if path.is_file()] == []


def test_what_a_failed_transform_kept_is_there_when_it_runs_again(mine):
    tiny = mine(
        "mark = context.workdir / 'mark'\n"
        "if not mark.exists():\n"
        "    mark.write_text('half done')\n"
        "    raise ValueError('stop')\n"
        "yield batch(a=[mark.read_text()])"
    )
    assert failure(tiny)
    assert tiny.run().ok
    assert tiny.rows("select a from mine") == [("half done",)]


def test_what_a_failed_transform_kept_is_gone_when_its_input_changed(mine):
    tiny = mine(
        "mark = context.workdir / 'mark'  # reads texts\n"
        "if not mark.exists():\n"
        "    mark.write_text('half done')\n"
        "    raise ValueError('stop')\n"
        "yield batch(a=[1])"
    )
    assert failure(tiny)
    tiny.edit("data/corpus.csv", "a a", "b b")
    assert failure(tiny)


def test_compiled_sql_is_kept_where_people_read_it(built):
    assert ">= 2" in (built.root / "target/compiled/long_documents.sql").read_text()

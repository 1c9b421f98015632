"""Whole runs of a small project: what is built, what is left alone, what a failure does and does not do."""

from hnm.errors import StageError

ALL_BUILT = dict.fromkeys(["shelf.corpus", "documents", "word_counts", "long_documents", "vectors", "report"], "built")
ALL_FRESH = dict.fromkeys(ALL_BUILT, "fresh")
PIPELINE = "pipelines/tiny.yml"


def versions(tiny):
    return {name: done.data_version for name, done in tiny.load().state().items()}


def invocations(tiny):
    return {name: done.invocation_id for name, done in tiny.load().state().items()}


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


# The place to work.


def test_nothing_is_left_in_the_work_folder(built):
    assert [path for path in (built.root / "data/warehouse/work").rglob("*") if path.is_file()] == []


def test_compiled_sql_is_kept_where_people_read_it(built):
    assert ">= 2" in (built.root / "target/compiled/long_documents.sql").read_text()

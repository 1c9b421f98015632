"""`hnm build`: a stage that fails a unit test is not built."""

import json

UNIT = """
unit_tests:
  - name: counts
    stage: word_counts
    given: [{input: ref(documents), rows: [{doc_id: a, text: x y Y}]}]
    expect: {rows: [{doc_id: a, words: 2}]}
  - name: least
    stage: long_documents
    given: [{input: ref(word_counts), rows: [{words: 1}, {words: 2}], types: {doc_id: VARCHAR}}]
    expect: {rows: [{words: 2}]}
"""


def build(tiny, *select):
    from hnm.engine.run import Invocation

    project = tiny.load()
    return project.run(project.plan(select), invocation=Invocation("build", unit_tests=True))


def test_a_stage_that_fails_is_not_built_and_its_descendants_are_skipped(tiny):
    tiny.write("pipelines/unit.yml", UNIT.replace("words: 2}]}", "words: 3}]}", 1))
    results = {result.name: result for result in build(tiny).results}
    assert {name: result.outcome for name, result in results.items()} == {
        "shelf.corpus": "built",
        "documents": "built",
        "word_counts": "failed",
        "long_documents": "skipped",
        "vectors": "skipped",
        "report": "skipped",
    }
    error = results["word_counts"].error
    assert error.what == "word_counts: 1 unit test failed, so it was not built"
    assert (error.where.path, error.where.line) == (tiny.root / "pipelines/unit.yml", 2)
    assert "! a       3 -> 2" in error.why
    assert "word_counts" not in tiny.load().state()
    assert tiny.run("+word_counts").ok  # `hnm run` leaves unit tests alone


def test_a_fresh_stage_that_fails_counts_as_failed_and_keeps_its_table(tiny):
    tiny.run("+word_counts")
    tiny.write("pipelines/unit.yml", UNIT.replace("words: 2}]}", "words: 3}]}", 1))
    assert [result.outcome for result in build(tiny, "word_counts").results] == ["failed"]
    assert tiny.rows("select count(*) from word_counts") == [(4,)]


def test_only_tests_of_planned_stages_are_run(tiny):
    tiny.write("pipelines/unit.yml", UNIT.replace("words: 2}]}", "words: 3}]}", 1))
    assert build(tiny, "+documents").ok


def test_the_command(tiny):
    tiny.write("pipelines/unit.yml", UNIT)
    passing = tiny.hnm("build", "--select", "+long_documents")
    assert (passing.returncode, "unit tests: 2 passed, 0 failed" in passing.stderr) == (0, True)
    tiny.write("pipelines/unit.yml", UNIT.replace("rows: [{words: 2}]", "rows: [{words: 7}]"))
    failing = tiny.hnm("build", "--select", "long_documents", "--json")
    told = json.loads(failing.stdout)
    assert (failing.returncode, told["ok"]) == (1, False)
    assert "1 unit test failed" in told["stages"][0]["error"]
    assert tiny.rows("select command, status from _hnm.runs order by started_at") == [
        ("build", "success"),
        ("build", "failed"),
    ]


def test_a_retry_of_a_build_runs_the_unit_tests_again(tiny):
    tiny.write("pipelines/unit.yml", UNIT.replace("words: 2}]}", "words: 3}]}", 1))
    assert tiny.hnm("build").returncode == 1
    again = tiny.hnm("retry")
    assert again.returncode == 1, again.stderr
    assert "1 unit test failed" in again.stderr
    tiny.write("pipelines/unit.yml", UNIT)
    mended = tiny.hnm("retry")
    assert (mended.returncode, "2 passed, 0 failed" in mended.stderr) == (0, True), mended.stderr

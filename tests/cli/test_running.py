"""The real command: selecting, failing fast, retrying, comparing and cleaning up."""

import json


def break_long_documents(tiny):
    tiny.edit("sql/long_documents.sql", "doc_id, words", "doc_id, words, error('broken') as x")


def mend_long_documents(tiny):
    tiny.edit("sql/long_documents.sql", ", error('broken') as x", ", 'mended' as x")


def test_a_run_that_failed_is_gone_on_with(built):
    break_long_documents(built)
    failed = built.hnm("run", "--fail-fast", "--json")
    assert failed.returncode == 1
    run = json.loads(failed.stdout)["invocation_id"]
    mend_long_documents(built)
    retried = built.hnm("retry", "--run", run[:8])
    assert retried.returncode == 0
    assert f"going on with run {run[:8]}" in retried.stderr
    assert "2 built" in retried.stderr
    again = built.hnm("retry", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["stages"] == []
    assert "nothing to retry" in again.stderr


def test_an_empty_selection_is_nothing_to_do_and_no_failure(built):
    for command in ("run", "plan"):
        ended = built.hnm(command, "--select", "state:modified")
        assert ended.returncode == 0
        assert ended.stderr == "nothing to do: the selection is empty\n"
        assert ended.stdout == ""
    ended = built.hnm("run", "--select", "state:modified", "--json")
    assert json.loads(ended.stdout)["ok"]


def test_a_selector_that_matches_nothing_is_a_failure(built):
    ended = built.hnm("run", "--select", "documnts")
    assert ended.returncode == 1
    assert "did you mean 'documents'" in ended.stderr


def test_named_selectors_and_state_run_are_options(built):
    path = built.root / "project.yml"
    path.write_text(path.read_text() + "selectors: {counts: '+word_counts'}\n")
    assert built.hnm("ls", "--selector", "counts").stdout.split() == ["shelf.corpus", "documents", "word_counts"]
    run = built.rows("select invocation_id from _hnm.runs")[0][0]
    listed = built.hnm("ls", "--select", "result:success", "--state-run", run[:8]).stdout.split()
    assert len(listed) == 6


def test_diff_shows_what_a_run_would_change_and_what_one_did(built):
    first = built.rows("select invocation_id from _hnm.runs")[0][0]
    built.edit("project.yml", "{least: 2}", "{least: 4}")
    built.edit("sql/long_documents.sql", "words >=", "words >")
    shown = built.hnm("diff")
    assert shown.returncode == 0
    assert "long_documents  changed  3 rows\n    the SQL changed\n    var least 2 -> 4\n" in shown.stdout
    assert "      +select doc_id, words from" in shown.stdout
    second = json.loads(built.hnm("run", "--json").stdout)["invocation_id"]
    (stage, _) = json.loads(built.hnm("diff", first[:8], second[:8], "--json").stdout)
    assert (stage["stage"], stage["rows_before"], stage["rows_after"]) == ("long_documents", 3, 1)
    assert {"component": "var least", "before": "2", "after": "4", "words": "var least 2 -> 4"} in stage["changes"]
    nothing = built.hnm("diff")
    assert (nothing.stdout, nothing.stderr) == ("", "no difference\n")


def test_diff_takes_two_runs_or_none(built):
    ended = built.hnm("diff", "abc")
    assert ended.returncode == 2
    assert "name two runs" in ended.stderr


def test_gc_lists_first_and_removes_when_told_to(built):
    orphan = built.root / "data/warehouse/models/old/abc"
    orphan.mkdir(parents=True)
    (orphan / "weights").write_bytes(b"x" * 2_000_000)
    built.edit("pipelines/tiny.yml", "  - name: report\n", "")
    listed = built.hnm("gc")
    assert listed.returncode == 0
    assert "2.0 MB" in listed.stdout
    assert "nothing is removed yet" in listed.stderr
    assert "not in the project any more: report" in listed.stderr
    assert orphan.exists()
    removed = json.loads(built.hnm("gc", "--yes", "--removed-stages", "--json").stdout)
    assert removed["removed"]
    assert removed["garbage"] == [{"kind": "model", "stage": "old", "what": "abc", "bytes": 2_000_000}]
    assert [stage["stage"] for stage in removed["removed_stages"]] == ["report"]
    assert not orphan.exists()
    assert built.hnm("gc").stderr == "nothing to remove\n"


def test_gc_keeps_at_least_the_current_version(built):
    assert built.hnm("gc", "--keep", "0").returncode == 2


def test_the_log_level_is_an_option(built):
    ended = built.hnm("run", "--full-refresh", "--select", "report", "--log-level", "warning", "--json")
    log = built.root / "target/logs" / f"{json.loads(ended.stdout)['invocation_id']}.log"
    assert log.read_text() == ""
    assert built.hnm("run", "--log-level", "loud").returncode == 2

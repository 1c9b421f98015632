"""Values of environment variables, as parts of paths and as values of rows: shown and kept nowhere."""

import json
from dataclasses import replace

import pytest

from hnm.engine.files import file_facts

VALUE = "hunter2-secret"


@pytest.fixture
def secret(tiny, monkeypatch):
    """A project whose source lies in a folder with a secret name."""
    monkeypatch.setenv("TINY_FOLDER", VALUE)
    (tiny.root / "data").rename(tiny.root / VALUE)
    tiny.edit("pipelines/tiny.yml", "path: data/corpus.csv", "path: \"{{ env_var('TINY_FOLDER') }}/corpus.csv\"")
    return tiny


def assert_not_shown(done):
    assert VALUE not in done.stdout + done.stderr, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def assert_not_kept(tiny):
    artifacts = [path for path in (tiny.root / "target").rglob("*") if path.is_file()]
    assert len(artifacts) > 2
    assert not [path for path in artifacts if VALUE in path.read_text()]
    for table in ("run_stages", "runs", "materializations"):
        assert VALUE not in str(tiny.rows(f"from _hnm.{table}")), table


def test_a_secret_part_of_a_path_is_in_no_reason(secret):
    assert_not_shown(secret.hnm("run"))
    secret.write(f"{VALUE}/corpus.csv", "doc_id,title,text\nd1,t,x\n")
    assert "file ***/corpus.csv changed" in " ".join(secret.hnm("plan").stdout.split())
    for command in (["plan"], ["diff"], ["run"]):
        assert_not_shown(secret.hnm(*command))
    results = json.loads((secret.root / "target/run_results.json").read_text())["results"]
    assert "built: file ***/corpus.csv changed" in [result["message"] for result in results]
    assert_not_kept(secret)


def test_a_secret_part_of_a_path_is_in_no_error(secret):
    secret.write(f"{VALUE}/corpus.csv", "doc_id,title,text\nd1,t,x\nbad\n")
    done = secret.hnm("run")
    assert_not_shown(done)
    assert f"at: {secret.root}/***/corpus.csv:3" in done.stderr
    assert_not_kept(secret)
    (secret.root / VALUE / "corpus.csv").unlink()
    for command in (["plan"], ["run"]):
        done = secret.hnm(*command)
        assert done.returncode == 1
        assert_not_shown(done)


def test_a_secret_part_of_a_path_is_not_kept_with_rows_that_were_set_aside(secret):
    secret.write(f"{VALUE}/corpus.csv", f"doc_id,title,text\nd1,t,x\n{VALUE}\n")
    secret.edit("pipelines/tiny.yml", "format: csv", "format: csv\n    options: {on_bad_rows: quarantine}")
    assert_not_shown(secret.hnm("run"))
    ((file, excerpt),) = secret.rows("select file, excerpt from _hnm.quarantine")
    assert "***/corpus.csv" in file
    assert "***" in excerpt
    assert VALUE not in file + excerpt


def test_files_that_differ_in_a_secret_alone_are_both_looked_at(tiny):
    """As where a glob finds them; one digest must not stand for both."""
    paths = [tiny.root / name for name in ("one1", "two2")]
    for path in paths:
        path.write_text(path.name)
    node = tiny.load().node("shelf.corpus")
    reading = replace(node.work, transform=replace(node.work.transform, files=lambda *_: paths))
    facts = file_facts(replace(node, work=reading, env_read={"ONE": "one1", "TWO": "two2"}), tiny.root, {})
    assert list(facts) == ["***", "*** 2"]
    assert len({fact["sha256"] for fact in facts.values()}) == 2


def test_rows_with_a_secret_are_not_shown_where_tests_fail(tiny, monkeypatch):
    monkeypatch.setenv("TINY_KEY", VALUE)
    tiny.write("sql/report.sql", "select '{{ env_var('TINY_KEY') }}' as key from {{ ref('long_documents') }}")
    tiny.edit(
        "pipelines/tiny.yml", "- name: report", '- {name: report, tests: [{sql: {condition: "false", severity: warn}}]}'
    )
    for command in (["run"], ["test"], ["run", "--full-refresh", "--json"], ["test", "--json"]):
        done = tiny.hnm(*command)
        assert "key=***" in done.stdout + done.stderr
        assert_not_shown(done)
    assert_not_kept(tiny)


def test_notes_of_a_transform_do_not_show_one(tiny, monkeypatch):
    monkeypatch.setenv("TINY_KEY", VALUE)
    tiny.edit("pipelines/tiny.yml", "params: {lowercase: true}", "params: {key: \"{{ env_var('TINY_KEY') }}\"}")
    tiny.edit("counting.py", "lowercase: bool = False", "lowercase: bool = False\n    key: str")
    tiny.edit(
        "counting.py",
        "    import pyarrow as pa",
        "    import pyarrow as pa\n    context.note('the key is ' + params.key)",
    )
    done = tiny.hnm("run")
    assert done.returncode == 0, done.stderr
    assert "the key is ***" in done.stderr
    assert_not_shown(done)

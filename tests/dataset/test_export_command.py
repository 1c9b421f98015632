"""`hnm dataset export` and `hnm dataset import` as people call them."""

import json
import os
import signal
from pathlib import Path

import pytest
from mined_project import command, mined_project
from tiny_project import TinyProject, wait_for

from hnm.api import Project

PIPELINE = """
    stages:
      - name: triplets
        materialized: lance
        unique_key: [query_id, positive_id, negative_id, strategy]
"""
TRIPLETS = """
    select
        'q' || i // 4 as query_id, 'p' || i // 4 as positive_id, 'n' || i as negative_id,
        'query ' || i // 4 as query, 'good ' || i // 4 as positive,
        repeat('word ', {words}) || i as negative,
        if(i % 2 = 0, 'hard', 'random') as strategy, 1 as selected_rank, 1.0 as weight,
        if(i // 4 % 5 = 0, 'dev', 'train') as split
    from range({rows}) t(i)
"""


def project_of(root: Path, rows: int = 40, words: int = 1) -> TinyProject:
    project = TinyProject(root)
    project.write("project.yml", "name: tiny\ntargets: {dev: {warehouse: data/warehouse}}\nsettings: {cores: 1}\n")
    (root / "pipelines").mkdir()
    project.stages(PIPELINE, triplets=TRIPLETS.format(rows=rows, words=words))
    assert project.run().ok
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    return project_of(tmp_path_factory.mktemp("exporting") / "tiny")


def test_an_export_by_name_with_a_card(project, tmp_path):
    out = tmp_path / "out"
    done = project.hnm(
        "dataset", "export", "triplets@1", str(out), "-f", "flagembedding", "--strategy", "hard", "--json"
    )
    assert (done.returncode, done.stderr.count("\n") < 3) == (0, True), done.stderr
    assert json.loads(done.stdout) == {"folder": str(out), "rows": {"dev": 2, "train": 8}, "notes": []}
    card = (out / "README.md").read_text()
    assert "format: flagembedding" in card
    assert "| exported | strategy hard |" in card
    assert "| content digest | " in card
    assert "## What made it" in card


def test_an_export_is_never_overwritten_unasked(project, tmp_path, capsys, monkeypatch):
    out, mine = tmp_path / "out", tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    with command("dataset", project, capsys, monkeypatch) as call:
        assert call("export", "triplets", str(out), "-q") == (0, "", "")
        code, _, said = call("export", "triplets", str(out))
        assert (code, "the folder is not empty" in said, "--force" in said) == (1, True, True)
        code, _, said = call("export", "triplets", str(out), "--force", "-f", "jsonl", "--where", "weight > 0.5")
        assert (code, "wrote" in said) == (0, True), said
        assert sorted(path.suffix for path in out.iterdir()) == [".jsonl", ".jsonl", ".md"]
        assert call("export", "triplets", str(out), "--force", "--where", "nope")[0] == 1
        assert sorted(path.suffix for path in out.iterdir()) == [".jsonl", ".jsonl", ".md"]
        code, _, said = call("export", "triplets", str(mine), "--force")
        assert (code, "replaces exports only" in said) == (1, True)
    assert (mine / "thesis.tex").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["triplets@v9", "out"], "triplets has no version 'v9'"),
        (["triplets", "out", "-f", "nope"], "unknown format 'nope'"),
        (["triplets", "out", "--strategy", "hrad"], "did you mean 'hard'"),
        (["triplets", "out", "-f", "csv", "--negatives", "3"], "no number of negatives"),
        (["triplets", "project.yml"], "an export is a folder"),
    ],
)
def test_what_makes_no_sense_is_said_and_leaves_nothing(project, arguments, words, capsys, monkeypatch):
    monkeypatch.chdir(project.root)
    with command("dataset", project, capsys, monkeypatch) as call:
        code, shown, said = call("export", *arguments)
    assert (code, shown, words in said, "Traceback" in said) == (1, "", True, False), said
    assert not (project.root / "out").exists()


def test_an_unreachable_hub_is_said_and_the_export_stays(project, tmp_path):
    env = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "none"}
    done = project.hnm("dataset", "export", "triplets", str(tmp_path / "out"), "--push-to-hub", "me/mine", env=env)
    assert (done.returncode, "cannot push to me/mine" in done.stderr) == (1, True), done.stderr
    assert (tmp_path / "out/README.md").exists()


def test_a_killed_export_leaves_nothing_under_its_name_and_the_next_one_removes_the_rest(tmp_path):
    project = project_of(tmp_path / "large", rows=200_000, words=60)
    out = tmp_path / "out"
    running = project.start("dataset", "export", "triplets", str(out), "-f", "jsonl", "--rows-per-shard", "1000")
    wait_for(lambda: any(tmp_path.glob(".out.*/out/*-00002-of-*")))
    assert running.poll() is None
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    assert not out.exists()
    done = project.hnm("dataset", "export", "triplets", str(out), "--split", "dev", "-q")
    assert (done.returncode, out.is_dir()) == (0, True), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large", "out"]


def test_a_dataset_is_read_in_python(project):
    read = Project.load(project.root).dataset("triplets", version="1", strategies="random", splits=["train"])
    assert len(read) == 16
    assert read.polars(["strategy"])["strategy"].unique().to_list() == ["random"]
    assert read.huggingface().column_names[:3] == ["query_id", "positive_id", "negative_id"]
    assert list((project.root / "target/datasets").glob("triplets-*.arrow"))


# Import


TEXTS = "select 'query' as kind, 'q' as id, 'five' as text, md5('five') as normalized_hash"
THEIRS = [
    {"query": "QUERY  five", "pos": ["one two"], "neg": ["five", "r", "six", "nowhere"]},
    {"query": "who asked this?", "pos": ["one two"], "neg": ["five"]},
]


def test_imported_negatives_are_measured_beside_the_projects_own(tmp_path):
    project = mined_project(tmp_path / "mined")
    (tmp_path / "theirs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in THEIRS))
    done = project.hnm("dataset", "import", str(tmp_path / "theirs.jsonl"), "--name", "theirs")
    assert done.returncode == 0, done.stderr
    assert "5 triplets of 2 queries, 0 bad rows" in done.stderr
    assert "imported: [theirs]" in done.stdout
    project.edit("project.yml", "retrievers:", "imported: [theirs]\n  retrievers:")
    project.edit("project.yml", "rule: random}", "rule: random}\n    - {name: theirs, rule: imported}")
    (project.root / "sql/candidates.sql").open("a").write("union all from {{ ref('candidates_theirs') }}\n")
    result = project.run()
    assert result.ok, [stage.error for stage in result.results if stage.error]
    assert project.rows("select doc_id, rank from candidates_theirs order by rank") == [("b", 1), ("r", 2), ("p2", 3)]
    assert project.rows("select problem, count(*) from unknown_theirs group by 1 order by 1") == [
        ("unknown_document", 1), ("unknown_query", 1),
    ]  # fmt: skip
    measured = "select negatives, label_conflicts, judged_positive_rate from negative_quality where strategy = 'theirs'"
    assert project.rows(measured) == [(4, 0, 0.5)]  # b and r for both positives of q; b is judged an answer
    assert project.rows(
        "select reason, rows from exclusion_funnel where strategy = 'theirs' and reason in ('known_positive', 'kept')"
    ) == [("known_positive", 2), ("kept", 4)]
    assert project.rows("select distinct negative_id from triplets where strategy = 'theirs' order by 1") == [
        ("b",), ("r",),
    ]  # fmt: skip
    again = project.hnm("dataset", "import", str(tmp_path / "theirs.jsonl"), "--name", "theirs")
    assert (again.returncode, "already something called 'theirs'" in again.stderr) == (1, True)


def test_bad_rows_of_an_import_are_refused_before_anything_is_written(tmp_path):
    project = TinyProject.write_to(tmp_path / "tiny")
    (tmp_path / "theirs.jsonl").write_text(json.dumps(THEIRS[0]) + "\n{broken\n")
    done = project.hnm("dataset", "import", str(tmp_path / "theirs.jsonl"))
    assert (done.returncode, "has no stage 'texts'" in done.stderr) == (1, True), done.stderr
    project.stages("stages: [{name: texts}]", texts=TEXTS)
    before = sorted(path for path in project.root.rglob("*") if "__pycache__" not in path.parts)
    done = project.hnm("dataset", "import", str(tmp_path / "theirs.jsonl"))
    assert (done.returncode, "theirs.jsonl:2" in done.stderr) == (1, True), done.stderr
    assert sorted(path for path in project.root.rglob("*") if "__pycache__" not in path.parts) == before
    kept = project.hnm("dataset", "import", str(tmp_path / "theirs.jsonl"), "--on-bad-rows", "quarantine")
    assert (kept.returncode, "4 triplets of 1 queries, 1 bad rows" in kept.stderr) == (0, True), kept.stderr
    named = project.hnm("dataset", "import", str(tmp_path / "theirs.jsonl"), "--name", "../x")
    assert (named.returncode, "is no name" in named.stderr) == (1, True)
    project.edit(
        "project.yml", "vars: {least: 2}", "vars: {least: 2, strategies: [{name: paper, rule: dual_criterion}]}"
    )
    named = project.hnm("dataset", "import", str(tmp_path / "theirs.jsonl"), "--name", "paper")
    assert (named.returncode, "already a strategy 'paper'" in named.stderr) == (1, True), named.stderr

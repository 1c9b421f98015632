"""The whole default pipeline on small real text, through the command line: run, run again, change a threshold."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from hnm.api import Project

HNM = Path(sys.executable).with_name("hnm")
SMALL = {
    "training_groups": 24,
    "evaluation_queries": 12,
    "evaluation_depth": 10,
    "away_queries": 8,
    "away_depth": 5,
}
RERANKED, RETRIEVERS = {"start", "random", "hard", "hard_interpolated"}, {"bm25", "minilm", "wordllama", "ensemble"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def hnm(folder: Path, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(HNM), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def shrink(folder: Path) -> None:
    """Less of everything: what is tested is that the stages fit together."""
    project = folder / "project.yml"
    lines = project.read_text().splitlines()
    for name, value in SMALL.items():
        lines = [f"  {name}: {value}" if line.strip().startswith(f"{name}:") else line for line in lines]
    project.write_text("\n".join(lines) + "\n")


def outcomes(folder: Path, *arguments: str) -> dict[str, str]:
    told = json.loads(hnm(folder, "run", "--json", *arguments).stdout)
    return {stage["stage"]: stage["outcome"] for stage in told["stages"]}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example over the API reference of one package alone, built."""
    folder = tmp_path_factory.mktemp("example") / "small"
    hnm(folder.parent, "init", str(folder))
    shrink(folder)
    sources = folder / "pipelines" / "sources.yml"
    sources.write_text(
        sources.read_text().replace("format: api_reference", "format: api_reference\n    options: {packages: [numpy]}")
    )
    hnm(folder, "run")
    return folder


@pytest.fixture(scope="module")
def judged(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same collection as a BEIR folder without clicks, in a project of its own, built."""
    folder = tmp_path_factory.mktemp("judged")
    hnm(example, "export", "beir", str(folder / "collection"))
    hnm(folder, "init", "mine", "--source", f"beir:{folder / 'collection'}")
    shrink(folder / "mine")
    hnm(folder / "mine", "run")
    return folder / "mine"


def test_second_run_does_nothing(example: Path) -> None:
    assert set(outcomes(example).values()) == {"fresh"}


def test_threshold_reruns_only_what_is_below(example: Path) -> None:
    project = example / "project.yml"
    before = project.read_text()
    project.write_text(before.replace("share: 0.95", "share: 0.90"))
    plan = json.loads(hnm(example, "plan", "--json").stdout)
    stale = {entry["stage"] for entry in plan if entry["status"] != "fresh"}
    project.write_text(before)
    assert "negatives" in stale and "triplets" in stale
    assert not [name for name in stale if name.startswith(("embeddings", "candidates", "ensemble", "collection"))]


def test_negatives_keep_what_they_promise(example: Path) -> None:
    project = Project.load(example)
    kept = project.query(
        """select strategy, count(*) as n, bool_and(condition_1 and condition_2) as both,
                  bool_and(query_id in (select query_id from queries where split <> 'test')) as trained
           from negatives where exclusion_reason is null group by strategy"""
    ).to_pylist()
    by_name = {row["strategy"]: row for row in kept}
    assert by_name["paper"]["both"] and by_name["random"]["n"] > 0
    assert all(row["trained"] for row in kept)
    conflicts = project.query("select sum(label_conflicts) as n from negative_quality").to_pylist()
    assert conflicts[0]["n"] == 0


def test_evaluation_compares_all_systems_on_the_same_queries(example: Path) -> None:
    rows = Project.load(example).query("select model, measure, queries, value from evaluations where baseline is null")
    found = rows.to_pylist()
    assert {row["model"] for row in found} == RERANKED | RETRIEVERS
    assert {row["queries"] for row in found} == {12}
    assert all(0 <= row["value"] <= 1 for row in found)


def test_every_model_is_evaluated_away_from_home_too(example: Path, judged: Path) -> None:
    for folder in (example, judged):
        rows = Project.load(folder).query("select model, split, queries, baseline from away_evaluations").to_pylist()
        assert {row["model"] for row in rows} == {*RERANKED, "bm25"}
        assert {(row["split"], row["queries"]) for row in rows} == {("away", 8)}
        assert {row["baseline"] for row in rows if row["model"] == "hard"} == {None, "bm25", *RERANKED} - {"hard"}


def test_evaluations_say_which_model_and_which_data(example: Path) -> None:
    project = Project.load(example)
    sql = "select distinct model, model_version, dataset_version from {} where model in ('hard', 'start', 'bm25')"
    state = project.state()
    for table in ("evaluations", "away_evaluations"):
        found = {row.pop("model"): row for row in project.query(sql.format(table)).to_pylist()}
        assert found["bm25"] == {"model_version": None, "dataset_version": None}
        assert found["start"]["dataset_version"] is None
        assert found["hard"] == {
            "model_version": state["reranker_hard"].data_version,
            "dataset_version": state["triplets"].data_version,
        }


def test_depths_groups_and_support_are_told(example: Path) -> None:
    project = Project.load(example)
    whole = "select model, measure, value from evaluations where baseline is null"
    deepest = "select model, measure, value from evaluations_by_depth where depth = 10"
    assert project.query(f"{deepest} except {whole}").num_rows == 0
    groups = project.query(
        """select grouping, sum(queries) as queries from evaluations_by_group
           where model = 'hard' and measure = 'RR@10' group by all order by all"""
    )
    assert groups.to_pylist() == [
        {"grouping": "document_length", "queries": 12},
        {"grouping": "template", "queries": 12},
    ]
    support = project.query("select * from rag_support order by model, top").to_pylist()
    assert len(support) == 3 * len(RERANKED | RETRIEVERS)
    assert all(few["supported"] <= many["supported"] for few, many in pairwise(support) if few["top"] < many["top"])
    assert all(row["tokens"] <= row["token_budget"] for row in support)


def test_reranking_adds_nothing_to_the_first_stage(example: Path) -> None:
    added = Project.load(example).query("select * from reranked_hard anti join first_stage using (query_id, doc_id)")
    assert added.num_rows == 0


def test_trained_model_loads_elsewhere(example: Path) -> None:
    from sentence_transformers import CrossEncoder

    project = Project.load(example)
    model = CrossEncoder(str(project.warehouse.model_path(project.state()["reranker_hard"])))
    close, far = model.predict(
        [("sum of array elements", "sum: add the elements of an array"), ("sum", "file not found")]
    )
    assert close > far


def test_judgments_stand_in_for_clicks(judged: Path) -> None:
    origins = Project.load(judged).query("select distinct origin from positives").to_pylist()
    assert origins == [{"origin": "judgments"}]
    assert set(outcomes(judged).values()) == {"fresh"}


def test_click_log_is_used_when_there_is_one(example: Path, judged: Path, tmp_path: Path) -> None:
    log = tmp_path / "clicks.parquet"
    hnm(example, "query", "select * from impressions", "--format", "parquet", "--output", str(log))
    collection = Path(Project.load(judged).manifest.nodes["collection.corpus"].work.params.path)
    hnm(tmp_path, "init", "logged", "--source", f"beir:{collection}", "--clicks", str(log))
    shrink(tmp_path / "logged")
    hnm(tmp_path / "logged", "run", "--select", "+positives")
    logged = Project.load(tmp_path / "logged")
    count = "select count(*) as n, count(distinct session_id) as sessions from impressions"
    assert logged.query(count).to_pylist() == Project.load(example).query(count).to_pylist()
    assert logged.query("select distinct origin from positives").to_pylist()[0]["origin"].startswith("clicks")
    raw = Project.load(example).query("select session_id from impressions limit 1").to_pylist()[0]["session_id"]
    hashed = logged.query("select count(*) as n from impressions where session_id = ?", [raw]).to_pylist()
    assert hashed == [{"n": 0}]

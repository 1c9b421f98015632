"""docs/false-negatives.md on a dozen documents: the judge, what follows from it, hidden positives, people's verdicts.

Of two documents about each topic, one is known as the answer. For `capital` a second right answer is not labelled.
"""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_pages import CODE, ROOT, blocks, missing, page, sections, table_rows
from tiny_project import TinyProject

from hnm.cli.stats_view import print_statistics
from hnm.negative_statistics import ESTIMATES, statistics

PROJECT = """
    name: judged
    settings: {cores: 1, memory_limit: 500MB, device: cpu, precision: fp32}
    vars:
      positives_from: judgments
      retrievers: [bm25]
      positives_per_query: 2
      strategies:
        - {name: top, rule: top, per_positive: 2}
        - {name: random, rule: random, per_positive: 1}
"""
PIPELINES = ("collection", "positives", "negatives")
SOURCES = """
    sources:
      - name: collection
        format: csv
        tables:
          corpus: {path: data/corpus.csv}
          queries: {path: data/queries.csv}
          judgments: {path: data/judgments.csv}
    stages:
      - {name: candidates, unique_key: [query_id, doc_id, retriever]}
      - {name: right_answers, unique_key: [query_id, doc_id]}
      - {name: scored_candidates, unique_key: [query_id, positive_id, doc_id]}
      - {name: candidates_bm25, transform: retrieve_bm25, inputs: {corpus: ref(corpus), queries: ref(queries)}}
      - {name: candidates_random, transform: retrieve_random, inputs: {corpus: ref(corpus), queries: ref(queries)}}
      - name: ensemble
        transform: embed_lsa
        inputs: {texts: ref(texts)}
        params: {dim: 8}
        materialized: lance
        unique_key: [kind, id]
"""
MODEL = """
    stages:
      - name: my_model
        transform: train_cross_encoder
        inputs: {triplets: ref(triplets)}
        params: {negatives: [{strategies: [top], per_group: 1}]}
"""
CORPUS = {
    "paris": "Paris is the capital of France.",
    "also": "The capital of France, Paris, lies on the Seine.",
    "lyon": "Lyon is a large city of France, not its capital.",
    "wine": "France exports wine, cheese and cars.",
    "boil": "Water boils at 100 degrees Celsius at sea level.",
    "kettle": "Water boils at one hundred degrees Celsius when the pressure is that of the sea level.",
    "freeze": "Water freezes at zero degrees Celsius.",
    "tea": "Pour boiling water over the tea leaves.",
    "whale": "The blue whale is the largest animal.",
    "shark": "The whale shark is the largest fish.",
    "ant": "Ants live in colonies.",
    "bee": "Bees make honey from nectar.",
}
QUERIES = {
    "capital": "what is the capital of France",
    "boiling": "at how many degrees does water boil",
    "animal": "which animal is the largest",
}
JUDGMENTS = [("capital", "paris"), ("boiling", "boil"), ("boiling", "kettle"), ("animal", "whale")]


def write_csv(path: Path, header: str, rows: list[tuple[Any, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    made = TinyProject(tmp_path / "judged")
    made.write("project.yml", PROJECT)
    made.write("pipelines/sources.yml", SOURCES)
    for name in PIPELINES:
        shutil.copy(ROOT / f"pipelines/{name}.yml", made.root / "pipelines")
    shutil.copytree(ROOT / "sql", made.root / "sql", ignore=shutil.ignore_patterns("tests"))
    write_csv(made.root / "data/corpus.csv", "doc_id,title,text", [(name, "", text) for name, text in CORPUS.items()])
    queries = [(name, text, "train") for name, text in QUERIES.items()]
    write_csv(made.root / "data/queries.csv", "query_id,text,split", queries)
    write_csv(made.root / "data/judgments.csv", "query_id,doc_id,grade", [(*pair, 1) for pair in JUDGMENTS])
    return made


def built(project: TinyProject, *select: str, **variables: Any) -> dict[str, str]:
    result = project.run(*select, **variables)
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    return {stage.name: stage.outcome for stage in result.results}


def test_nothing_of_it_exists_by_default(project: TinyProject) -> None:
    asked = {"judge": "reranker_en", "hide_positives": 0.5, "audit_size": 5, "relabel_percentile": 90}
    nodes, more = set(project.load().manifest.nodes), set(project.load(**asked).manifest.nodes)
    assert nodes < more
    described = {name for title in sections(page("tables.md")) for name in CODE.findall(title)}
    assert more - nodes == {
        "judged_pairs", "judge_scores", "suspected_positives", "false_negative_estimates", "audit_list",
        "hidden_positives",
    }  # fmt: skip
    assert more - nodes <= described


def test_verdicts_come_back_as_judgments(project: TinyProject) -> None:
    """The recipe of the page, with its own commands, YAML and SQL."""
    text = page("false-negatives.md")
    built(project, "+audit_list", audit_size=4)
    export = "from audit_list order by place"
    assert f'hnm query "{export}" --format csv --output data/verdicts.csv' in text
    variables = ("--vars", "audit_size: 4")
    done = project.hnm("query", export, "--format", "csv", "--output", "data/verdicts.csv")
    assert done.returncode == 0, done.stderr
    path = project.root / "data/verdicts.csv"
    with path.open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    assert len(listed) == 4
    verdicts = {("capital", "also"): "relevant", ("capital", "lyon"): "not_relevant"}
    assert set(verdicts) <= {(row["query_id"], row["doc_id"]) for row in listed}
    for row in listed:
        assert row["verdict"] == ""
        assert row["document"] == CORPUS[row["doc_id"]]
        row["verdict"] = verdicts.get((row["query_id"], row["doc_id"]), "")
    write_csv(path, ",".join(listed[0]), [tuple(row.values()) for row in listed])
    (source,) = (block for block in blocks(text, "yaml") if "name: audit" in block)
    (judgments,) = blocks(text, "sql")
    project.write("pipelines/verdicts.yml", source)
    project.write("sql/judgments.sql", judgments)
    done = project.hnm("run", "--select", "+audit_list", *variables)
    assert done.returncode == 0, done.stderr
    assert project.rows(
        "select query_id, doc_id, grade from judgments where doc_id in ('also', 'lyon') order by 2"
    ) == [
        ("capital", "also", 1),
        ("capital", "lyon", 0),
    ]
    assert project.rows("select count(*) from _hnm.quarantine where reason = 'grade is missing'") == [(2,)]
    assert project.rows("select doc_id from positives where query_id = 'capital' order by 1") == [("also",), ("paris",)]
    reasons = "select distinct exclusion_reason from negatives where query_id = 'capital' and doc_id = 'also'"
    assert project.rows(reasons) == [("known_positive",)]
    again = project.rows("select query_id, doc_id from audit_list")
    assert again
    assert not set(again) & set(verdicts)


def test_the_judge_finds_the_answer_that_nobody_labelled(
    project: TinyProject, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {
        "judge": "reranker_en",
        "judge_depth": 3,
        "relabel_percentile": 0,
        "audit_size": 2,
        "strategies": [
            {"name": "top", "rule": "top", "per_positive": 3},
            {"name": "clean", "rule": "denoised", "per_positive": 1},
        ],
    }
    built(project, "+false_negative_estimates", "+suspected_positives", "+audit_list", "+negative_quality", **asked)
    loaded = project.load(**asked)
    assert project.rows("select count(*), count(score) from judge_scores join judged_pairs using (query_id, doc_id)")[
        0
    ] == (4 + 3 * 3, 4 + 3 * 3)
    assert ("capital", "also") in project.rows("select query_id, doc_id from suspected_positives")
    reason = "select exclusion_reason from negatives where strategy = 'clean' and doc_id = 'also'"
    assert ("judged_like_positive",) in project.rows(reason)
    assert project.rows("select doc_id, reason from audit_list where place = 1") == [("also", "judged_like_positive")]
    found = statistics(loaded)
    rates = {row["strategy"]: row["judge_false_negative_rate"] for row in found.quality}
    assert rates["top"] > 0 == rates["clean"]
    assert {row["statistic"] for row in found.side_by_side()} & set(ESTIMATES) == {
        "judge_examined", "judge_false_negatives", "judge_false_negative_rate",
    }  # fmt: skip
    print_statistics(found)
    assert "judge_false_negative_rate" in capsys.readouterr().out
    wrong = {}
    for name, body in sections(page("tables.md")).items():
        for table in set(CODE.findall(name)) & {"judged_pairs", "suspected_positives", "false_negative_estimates"}:
            columns = set(loaded.state()[table].columns)
            wrong[table] = [*missing(columns, body), *set(table_rows(body)) - columns]
    assert wrong == {"judged_pairs": [], "suspected_positives": [], "false_negative_estimates": []}

    # A judge's scores follow the texts: only the lists that an edited document is in are scored again.
    assert set(built(project, "+false_negative_estimates", **asked).values()) == {"fresh"}
    before = dict(project.rows("select query_id || ' ' || doc_id, score from judge_scores"))
    project.edit("data/corpus.csv", "not its capital", "and much visited")
    assert built(project, "+negatives", **asked)["judge_scores"] == "built"
    after = dict(project.rows("select query_id || ' ' || doc_id, score from judge_scores"))
    assert after["capital lyon"] < before["capital lyon"]
    assert after["boiling boil"] == before["boiling boil"]
    negatives = project.rows("select * from negatives order by all")
    assert project.run("judge_scores", "negatives", full_refresh=True, **asked).ok
    assert dict(project.rows("select query_id || ' ' || doc_id, score from judge_scores")) == after
    assert project.rows("select * from negatives order by all") == negatives


def test_hidden_positives_are_mined_as_negatives(project: TinyProject) -> None:
    built(project, "+negative_quality")
    before = project.rows("select * from negatives order by all")
    asked = {"hide_positives": 0.99}
    built(project, "+false_negative_estimates", "+negative_quality", **asked)
    ((query, hidden),) = project.rows("select query_id, doc_id from hidden_positives")
    assert (query, hidden) in {("boiling", "boil"), ("boiling", "kettle")}
    ((negatives, wrong, rate),) = project.rows(
        "select negatives, false_negatives, rate from false_negative_estimates where strategy = 'top'"
    )
    assert (wrong, rate) == (1, pytest.approx(1 / negatives))
    row = {row["strategy"]: row for row in statistics(project.load(**asked)).quality}["top"]
    assert (row["hidden_false_negatives"], row["hidden_examined"]) == (1, negatives)
    built(project, "+negative_quality")
    assert project.rows("select * from negatives order by all") == before
    assert "hidden_examined" not in statistics(project.load()).quality[0]


def test_hidden_positives_are_kept_up_to_date_by_query(project: TinyProject) -> None:
    asked = {"hide_positives": 0.9}
    built(project, "+hidden_positives", **asked)
    path = project.root / "data/judgments.csv"
    path.write_text(path.read_text(encoding="utf-8") + "animal,shark,1\r\nanimal,ant,1\r\n", encoding="utf-8")
    built(project, "+hidden_positives", "+positives", **asked)
    rows = [project.rows(f"select * from {name} order by all") for name in ("hidden_positives", "positives")]
    assert project.run("positives", "hidden_positives", full_refresh=True, **asked).ok
    assert rows == [project.rows(f"select * from {name} order by all") for name in ("hidden_positives", "positives")]
    assert len(rows[0]) >= 2


def test_the_stage_that_the_page_adds_judges_by_another_model(project: TinyProject) -> None:
    (stage,) = (block for block in blocks(page("false-negatives.md"), "yaml") if "transform: judge" in block)
    project.write("pipelines/judge.yml", stage)
    name = yaml.safe_load(stage)["stages"][0]["inputs"]["model"]
    project.write("pipelines/model.yml", MODEL)
    loaded = project.load(judge=name)
    assert "my_model" in loaded.manifest.nodes["judge_scores"].depends_on

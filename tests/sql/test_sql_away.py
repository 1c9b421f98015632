"""The stages of the away side that are SQL: the same models on another collection."""

from hashlib import md5

import pytest
from sql_stages import COLUMNS, Stages, select

LIST = "query_id varchar, doc_id varchar, retriever varchar, rank integer, score float"


@pytest.fixture
def elsewhere(stages: Stages) -> Stages:
    """Forty queries without a split; `none` has no right answer, `gone` one that is not in the corpus."""
    give(stages, "away", split=None)
    return stages


def give(stages: Stages, source: str, split: str | None) -> None:
    queries = [f"q{i}" for i in range(40)]
    stages.give(f"{source}.corpus", [("d1", " T ", " one "), ("d2", "", "two"), ("d3", "", "three")], corpus())
    asked = [*queries, "none", "gone"]
    stages.give(f"{source}.queries", [(name, f" {name}?", None) for name in asked], COLUMNS["collection.queries"])
    judged = [*((name, "d1", 1, split) for name in queries), ("q1", "d1", 2, split), ("none", "d2", 0, split)]
    stages.give(f"{source}.judgments", [*judged, ("gone", "d9", 1, split)], COLUMNS["collection.judgments"])
    if split:
        stages.connection.execute(f"update {source}.judgments set split = 'train' where query_id <= 'q2'")


def corpus() -> str:
    return COLUMNS["collection.corpus"]


def test_queries_with_an_answer_some_of_them_chosen_by_hash(elsewhere: Stages) -> None:
    elsewhere.build("away_corpus")
    every = {row["query_id"] for row in elsewhere.build("away_queries", away_queries=None)}
    assert every == {f"q{i}" for i in range(40)}
    few, more = ({row["query_id"] for row in elsewhere.build("away_queries", away_queries=n)} for n in (5, 20))
    assert (len(few), len(more)) == (5, 20)
    assert few < more


def test_only_the_test_split_where_there_is_one(stages: Stages) -> None:
    give(stages, "away", split="test")
    stages.build("away_corpus")
    found = {row["query_id"] for row in stages.build("away_queries", away_queries=None)}
    assert found == {f"q{i}" for i in range(40) if f"q{i}" > "q2"}


def test_judgments_are_of_the_queries_with_the_highest_grade(elsewhere: Stages) -> None:
    elsewhere.build("away_corpus")
    elsewhere.build("away_queries", away_queries=None)
    rows = elsewhere.build("away_judgments")
    assert len(rows) == 40
    assert {(row["doc_id"], row["split"]) for row in rows} == {("d1", "away")}
    assert {row["grade"] for row in rows if row["query_id"] == "q1"} == {2}


def test_only_texts_that_are_read(elsewhere: Stages) -> None:
    elsewhere.build("away_corpus")
    elsewhere.build("away_queries", away_queries=1)
    elsewhere.give("away_first_stage", [("q", "d1", "bm25", 1, 1.0), ("q", "d2", "bm25", 2, 0.5)], LIST)
    rows = elsewhere.build("away_texts")
    assert select(rows, "kind", "id", "text")[:2] == [("document", "d1", "T\none"), ("document", "d2", "two")]
    assert [row["kind"] for row in rows] == ["document", "document", "query"]
    assert [(row["id"], row["text_hash"]) for row in rows] == [
        (row["id"], md5(row["text"].encode(), usedforsecurity=False).hexdigest()) for row in rows
    ]


def test_the_var_names_another_source(stages: Stages) -> None:
    give(stages, "elsewhere", split=None)
    assert len(stages.build("away_corpus", away="elsewhere")) == 3


def test_runs_are_bm25_and_the_models(stages: Stages) -> None:
    stages.give("away_first_stage", [("q", "d", "bm25", 1, 2.0)], LIST)
    versions = f"{LIST}, model_version varchar, dataset_version varchar"
    stages.give("away_reranked_hard", [("q", "d", "hard", 1, 0.5, "w", "t")], versions)
    rows = stages.build("away_runs", evaluated=["hard"])
    assert select(rows, "retriever", "model_version") == [("bm25", None), ("hard", "w")]


def test_queries_are_grouped_by_template_among_all_of_their_collection(stages: Stages) -> None:
    asked = {"q1": "Where is gout?", "q2": "Where is a cold?", "q3": "Where is it?", "q4": "Warum?"}
    stages.give("away.queries", [(name, text, None) for name, text in asked.items()], COLUMNS["collection.queries"])
    stages.give("away_queries", [("q1", asked["q1"]), ("q4", asked["q4"])], "query_id varchar, text varchar")
    rows = stages.build("away_evaluation_groups")
    assert select(rows, "query_id", "grouping", "group") == [
        ("q1", "template", "many share"),
        ("q4", "template", "own words"),
    ]

"""evaluation_queries, evaluation_judgments, first_stage, runs."""

import pytest
from sql_stages import Stages, select

CANDIDATE = "query_id varchar, doc_id varchar, retriever varchar, rank integer, score float"


@pytest.fixture
def judged(stages: Stages) -> Stages:
    """Thirty judged test queries; others that must not be evaluated on."""
    names = [f"q{i}" for i in range(30)]
    stages.give(
        "queries",
        [
            *((name, "text", "test") for name in names),
            ("dev", "x", "dev"),
            ("bare", "x", "test"),
            ("zero", "x", "test"),
        ],
    )
    stages.give(
        "judgments", [*((name, "d1", 1, "test") for name in names), ("dev", "d1", 1, "dev"), ("zero", "d1", 0, "test")]
    )
    stages.give(
        "candidates_bm25",
        [(name, f"d{rank}", "bm25", rank, 1 / rank) for name in [*names[1:], "dev", "bare"] for rank in (1, 2, 3)],
        CANDIDATE,
    )
    return stages


def test_only_judged_test_queries_are_evaluated_on(judged: Stages) -> None:
    every = {row["query_id"] for row in judged.build("evaluation_queries", evaluation_queries=None)}
    assert every == {f"q{i}" for i in range(30)}


def test_fewer_evaluation_queries_are_a_part_of_more(judged: Stages) -> None:
    few, more = ({row["query_id"] for row in judged.build("evaluation_queries", evaluation_queries=n)} for n in (5, 20))
    assert len(few) == 5
    assert few < more


def test_first_stage_is_the_head_of_bm25(judged: Stages) -> None:
    judged.build("evaluation_queries")
    rows = judged.build("first_stage", evaluation_depth=2)
    assert {row["retriever"] for row in rows} == {"bm25"}
    assert {row["rank"] for row in rows} == {1, 2}
    assert len(rows) == 29 * 2


def test_a_query_that_the_first_stage_cannot_answer_is_still_judged(judged: Stages) -> None:
    judged.build("evaluation_queries")
    rows = judged.build("evaluation_judgments")
    assert ("q0", "d1", 1, "test") in select(rows, "query_id", "doc_id", "grade", "split")
    assert len(rows) == 30


def test_runs_are_the_first_stage_and_its_reranked_forms(stages: Stages) -> None:
    stages.give("first_stage", [("q", "d", "bm25", 1, 2.0)], CANDIDATE)
    stages.give("reranked_start", [("q", "d", "start", 2, -1.5)], CANDIDATE)
    assert select(stages.build("runs", evaluated=["start"]), "query_id", "doc_id", "retriever", "rank", "score") == [
        ("q", "d", "bm25", 1, 2),
        ("q", "d", "start", 2, -1.5),
    ]
    assert len(stages.build("runs", evaluated=[])) == 1

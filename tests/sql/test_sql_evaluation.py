"""evaluation_queries, evaluation_judgments, first_stage, runs."""

import pytest
from sql_stages import Stages, select

from hnm.errors import TemplateError

CANDIDATE = "query_id varchar, doc_id varchar, retriever varchar, rank integer, score float"
RERANKED = f"{CANDIDATE}, model_version varchar, dataset_version varchar"


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


@pytest.fixture
def retrieved(stages: Stages) -> Stages:
    """Two retrievers' lists for the evaluation query q, and for another one."""
    stages.give("evaluation_queries", [("q", "text")], "query_id varchar, text varchar")
    for retriever, documents in {"bm25": "abc", "minilm": "bca"}.items():
        lists = [
            (query, document, retriever, rank, 1 / rank)
            for query in ("q", "other")
            for rank, document in enumerate(documents, 1)
        ]
        stages.give(f"candidates_{retriever}", lists, CANDIDATE)
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


def test_an_answer_that_the_first_stage_missed_is_never_added(retrieved: Stages) -> None:
    retrieved.give("evaluation_judgments", [("q", "c", 1)], "query_id varchar, doc_id varchar, grade integer")
    rows = retrieved.build("first_stage", evaluation_depth=2)
    assert {row["doc_id"] for row in rows} == {"a", "b"}
    retrieved.give("reranked_start", [("q", d, "start", 3 - r, 0.0, "w", "t") for r, d in enumerate("ab", 1)], RERANKED)
    runs = retrieved.build("runs", evaluated=["start"], evaluation_depth=2)
    assert "c" not in {row["doc_id"] for row in runs if row["retriever"] in ("bm25", "start")}


@pytest.mark.parametrize(("name", "documents"), [("bm25", "ab"), ("minilm", "bc"), ("rrf", "ba")])
def test_any_retriever_or_their_fusion_may_be_the_first_stage(retrieved: Stages, name: str, documents: str) -> None:
    # rrf of a: 1/61 + 1/63, of b: 1/62 + 1/61, of c: 1/63 + 1/62, from the whole lists.
    rows = retrieved.build("first_stage", evaluation_first_stage=name, evaluation_depth=2)
    assert select(sorted(rows, key=lambda row: row["rank"]), "query_id", "doc_id", "retriever", "rank") == [
        ("q", document, name, rank) for rank, document in enumerate(documents, 1)
    ]


def test_equal_sums_of_a_fusion_are_ranked_by_document(retrieved: Stages) -> None:
    retrieved.give("candidates_minilm", [("q", "b", "minilm", 1, 1.0), ("q", "a", "minilm", 2, 0.5)], CANDIDATE)
    rows = retrieved.build("first_stage", evaluation_first_stage="rrf")
    assert [(row["doc_id"], row["rank"]) for row in rows] == [("a", 1), ("b", 2), ("c", 3)]
    assert rows[0]["score"] == rows[1]["score"] == pytest.approx(1 / 61 + 1 / 62)


def test_an_unknown_first_stage_is_refused(retrieved: Stages) -> None:
    with pytest.raises(TemplateError, match=r"evaluation_first_stage is 'colbert'; it must be .*: bm25, minilm, rrf"):
        retrieved.build("first_stage", evaluation_first_stage="colbert")


def test_runs_are_the_first_stage_its_reranked_forms_and_the_other_retrievers(retrieved: Stages) -> None:
    retrieved.build("first_stage", evaluation_depth=2)
    retrieved.give("reranked_start", [("q", "b", "start", 1, -1.5, "w1", "t1")], RERANKED)
    rows = retrieved.build("runs", evaluated=["start"], evaluation_depth=2)
    assert {(row["retriever"], row["doc_id"], row["rank"]) for row in rows} == {
        ("bm25", "a", 1),
        ("bm25", "b", 2),
        ("minilm", "b", 1),
        ("minilm", "c", 2),
        ("start", "b", 1),
    }
    versions = {row["retriever"]: (row["model_version"], row["dataset_version"]) for row in rows}
    assert versions == {"bm25": (None, None), "minilm": (None, None), "start": ("w1", "t1")}
    assert {row["query_id"] for row in rows} == {"q"}
    assert len(retrieved.build("runs", evaluated=[], evaluation_depth=1)) == 2 + 1

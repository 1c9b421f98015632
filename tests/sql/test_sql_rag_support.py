"""rag_support: a right answer among the first documents that fit a budget of tokens."""

import pytest
from sql_stages import Stages, select

RUN = "query_id varchar, doc_id varchar, retriever varchar, rank integer, score float"
TOKENS = {"a": 50, "b": 60, "c": 30, "long": 500}


@pytest.fixture
def ranked(stages: Stages) -> Stages:
    """Two queries, two runs: q1 is answered by b (and c, barely), q2 by long."""
    runs = {
        ("first", "q1"): ["a", "b", "c"],
        ("first", "q2"): ["a", "long", "b"],
        ("better", "q1"): ["b", "c", "a"],
        ("better", "q2"): ["long", "a"],
    }
    rows = [(query, doc, run, rank, 0.0) for (run, query), docs in runs.items() for rank, doc in enumerate(docs, 1)]
    stages.give("runs", rows, RUN)
    stages.give("document_tokens", TOKENS.items(), "doc_id varchar, tokens integer")
    stages.give(
        "evaluation_judgments",
        [("q1", "b", 2, "test"), ("q1", "a", 0, "test"), ("q2", "long", 1, "test")],
        "query_id varchar, doc_id varchar, grade integer, split varchar",
    )
    return stages


def supported(stages: Stages, budget: int) -> dict[tuple[str, int], tuple[float, float, float]]:
    rows = stages.build("rag_support", rag_token_budget=budget)
    assert {(row["split"], row["queries"], row["token_budget"]) for row in rows} == {("test", 2, budget)}
    return {(row["model"], row["top"]): (row["supported"], row["documents"], row["tokens"]) for row in rows}


def test_everything_fits(ranked: Stages) -> None:
    assert supported(ranked, 1000) == {
        ("first", 1): (0, 1, 50),
        ("first", 3): (1, 3, (140 + 610) / 2),
        ("first", 5): (1, 3, (140 + 610) / 2),
        ("better", 1): (1, 1, (60 + 500) / 2),
        ("better", 3): (1, 2.5, (140 + 550) / 2),
        ("better", 5): (1, 2.5, (140 + 550) / 2),
    }


def test_the_first_document_that_does_not_fit_ends_the_list(ranked: Stages) -> None:
    # q1 by `first`: a and b fill the 110 tokens to the last; q2: a, then nothing. By `better`: b and c; nothing.
    assert supported(ranked, 110) == {
        ("first", 1): (0, 1, 50),
        ("first", 3): (0.5, 1.5, (110 + 50) / 2),
        ("first", 5): (0.5, 1.5, (110 + 50) / 2),
        ("better", 1): (0.5, 0.5, 30),
        ("better", 3): (0.5, 1, 45),
        ("better", 5): (0.5, 1, 45),
    }


def test_a_query_that_a_run_lacks_is_unsupported(ranked: Stages) -> None:
    ranked.connection.execute("delete from runs where query_id = 'q1'")
    rows = ranked.build("rag_support")
    assert select(rows, "model", "top", "supported") == [
        ("better", 1, 0.5),
        ("better", 3, 0.5),
        ("better", 5, 0.5),
        ("first", 1, 0),
        ("first", 3, 0.5),
        ("first", 5, 0.5),
    ]


def test_queries_without_a_right_answer_do_not_count(ranked: Stages) -> None:
    ranked.connection.execute("update evaluation_judgments set grade = 0 where query_id = 'q2'")
    assert {row["queries"] for row in ranked.build("rag_support")} == {1}

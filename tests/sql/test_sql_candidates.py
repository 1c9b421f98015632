"""candidates, scored_candidates."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sql_stages import Row, Stages, select

from hnm.project.templating import TemplateError

DATABASE = Stages()

CANDIDATE = "query_id varchar, doc_id varchar, rank integer, score float"

# Unit vectors with easy cosines: a is at 0.8 of the query and 0.96 of the positive p, b at 0.8 and 0, c at 0 and 0.8.
DOCUMENTS = {"p": [0.6, 0.8], "a": [0.8, 0.6], "b": [0.8, -0.6], "c": [0.0, 1.0], "zero": [0.0, 0.0]}


def score(
    stages: Stages,
    candidates: list[tuple[Any, ...]],
    positives: list[tuple[Any, ...]],
    documents: dict[str, list[float]],
    queries: dict[str, list[float]],
    texts: dict[str, str] | None = None,
    **variables: Any,
) -> list[Row]:
    stages.give_texts(
        {name: (texts or {}).get(name, f"document {name}") for name in documents},
        {name: (texts or {}).get(name, "a query" + name.removeprefix("q")) for name in queries},
    )
    stages.give_vectors(documents, queries)
    stages.give("positives", positives)
    stages.give("candidates", candidates)
    return stages.build("scored_candidates", **variables)


def test_candidates_are_all_lists_and_the_random_ones(stages: Stages) -> None:
    for retriever in ("bm25", "minilm", "random"):
        stages.give(f"candidates_{retriever}", [("q1", "d1", 1, 0.5)], CANDIDATE)
    rows = stages.build("candidates")
    assert select(rows, "query_id", "doc_id", "retriever", "rank", "score") == [
        ("q1", "d1", retriever, 1, 0.5) for retriever in ("bm25", "minilm", "random")
    ]


def test_scored_candidates_by_hand(stages: Stages) -> None:
    rows = score(
        stages,
        [
            ("q", "a", "bm25", 1, 9.5),
            ("q", "a", "minilm", 2, 0.7),
            ("q", "a", "random", 3, 0.0),
            ("q", "b", "minilm", 5, 0.3),
            ("q", "c", "random", 1, 0.0),
            ("q", "zero", "bm25", 2, 1.0),
            ("other", "a", "bm25", 1, 1.0),
        ],
        [("q", "p", 1, 1.0, "train")],
        DOCUMENTS,
        {"q": [2.0, 0.0], "other": [1.0, 0.0]},
    )
    by_id = {row["doc_id"]: row for row in rows}
    assert list(by_id) == ["a", "b", "c", "zero"]
    a, b, c, zero = by_id.values()
    assert select([a, b, c], "rank_bm25", "score_bm25", "rank_minilm", "score_minilm", "rank_random") == [
        (1, 9.5, 2, pytest.approx(0.7), 3),
        (None, None, 5, pytest.approx(0.3), None),
        (None, None, None, None, 1),
    ]
    assert [row["agreement"] for row in rows] == [2, 1, 0, 1]
    assert [row["rrf"] for row in rows] == pytest.approx([1 / 61 + 1 / 62, 1 / 65, 0, 1 / 62])
    assert [row["d_query_doc"] for row in rows] == pytest.approx([0.2, 0.2, 1, 1], abs=1e-6)
    assert [row["fused_score"] for row in rows] == pytest.approx([0.8, 0.8, 0, 0], abs=1e-6)
    assert [row["d_positive_doc"] for row in rows] == pytest.approx([0.04, 1, 0.2, 1], abs=1e-6)
    assert [row["d_query_positive"] for row in rows] == pytest.approx([0.4] * 4, abs=1e-6)
    assert zero["split"] == "train"
    assert not any(row["is_known_positive"] or row["is_positive_copy"] for row in rows)


def test_lexical_overlap_is_the_jaccard_index_of_words(stages: Stages) -> None:
    texts = {"a": "A Query about queries", "b": "nothing", "c": "query, a QUERY!"}
    rows = score(
        stages,
        [("q", name, "bm25", i, 1.0) for i, name in enumerate(texts)],
        [("q", "p", 1)],
        DOCUMENTS,
        {"q": [1, 0]},
        texts,
    )
    assert select(rows, "doc_id", "lexical_overlap") == [("a", 0.5), ("b", 0), ("c", 1)]


def test_every_positive_of_the_query_and_its_copies_are_marked(stages: Stages) -> None:
    texts = {"p": "The  answer", "a": "Another answer", "b": "the answer ", "c": "ANOTHER ANSWER", "zero": "none"}
    rows = score(
        stages,
        [("q", name, "bm25", i + 1, 1.0) for i, name in enumerate("pabc")] + [("q2", "p", "bm25", 1, 1.0)],
        # The sibling a is beyond the positives that are mined for, and yet no negative.
        [("q", "p", 1), ("q", "a", 2), ("q2", "zero", 1)],
        DOCUMENTS,
        {"q": [1, 0], "q2": [0, 1]},
        texts,
        positives_per_query=1,
    )
    assert select(rows, "query_id", "positive_id", "doc_id", "is_known_positive", "is_positive_copy") == [
        ("q", "p", "a", True, True),
        ("q", "p", "b", False, True),
        ("q", "p", "c", False, True),
        ("q", "p", "p", True, True),
        ("q2", "zero", "p", False, False),
    ]


def test_what_answers_a_query_that_asks_the_same_is_a_right_answer(stages: Stages) -> None:
    texts = {"q": "What is gout?", "same": " what is  Gout", "other": "what is gut?", "idle": "what is gout"}
    rows = score(
        stages,
        [(query, name, "bm25", i + 1, 1.0) for query in ("q", "same", "other") for i, name in enumerate("pabc")],
        [("q", "p", 1), ("same", "a", 1), ("other", "b", 1)],
        DOCUMENTS,
        {name: [1, 0] for name in texts},
        {**texts, "a": "a", "c": "A"},
    )
    right = [(row["query_id"], row["doc_id"]) for row in rows if row["is_known_positive"]]
    assert right == [("other", "b"), ("q", "a"), ("q", "p"), ("same", "a"), ("same", "p")]
    assert [row["query_id"] for row in rows if row["is_positive_copy"] and row["doc_id"] == "c"] == ["q", "same"]
    answers = stages.rows("select query_id, doc_id from right_answers order by all")
    assert select(answers, "query_id", "doc_id") == right


def test_what_almost_is_a_positive_is_marked_on_demand(stages: Stages) -> None:
    # The cosine of b to p is 0, of a to p 0.96; c has all words of the sibling s but one.
    documents = {"p": [0.6, 0.8], "a": [0.8, 0.6], "b": [0.8, -0.6], "c": [-1.0, 0.0], "s": [0.0, -1.0]}
    texts = {"p": "one", "a": "two", "b": "three", "c": "red green blue pink", "s": "red green blue"}
    candidates = [("q", name, "bm25", i + 1, 1.0) for i, name in enumerate("abc")]
    pairs = [("q", "p", 1), ("q", "s", 2)]

    def near(**limits: float) -> set[tuple[Any, ...]]:
        rows = score(stages, candidates, pairs, documents, {"q": [1, 0]}, texts, **limits)
        return {(row["positive_id"], row["doc_id"]) for row in rows if row["is_near_positive"]}

    assert near(max_cosine_to_positive=0.95) == {("p", "a"), ("s", "a")}
    assert near(max_cosine_to_positive=0.97) == set()
    assert near(max_jaccard_to_positive=0.7) == {("p", "c"), ("s", "c")}
    assert near(max_jaccard_to_positive=0.7, max_cosine_to_positive=0.95) == {
        (positive, doc) for positive in "ps" for doc in "ac"
    }
    reasons = stages.build(
        "negatives",
        strategies=[{"name": "top", "rule": "top"}],
        max_jaccard_to_positive=0.7,
        max_cosine_to_positive=0.95,
    )
    assert {(row["doc_id"], row["exclusion_reason"]) for row in reasons} == {
        ("a", "near_positive"), ("b", None), ("c", "near_positive")
    }  # fmt: skip
    with pytest.raises(TemplateError, match="it must lie between 0 and 1"):
        near(max_cosine_to_positive=1.5)


def test_judged_positives_are_protected_on_demand(stages: Stages) -> None:
    stages.give("judgments", [("q", "a", 1), ("q", "b", 0)])
    candidates = [("q", "a", "bm25", 1, 1.0), ("q", "b", "bm25", 2, 1.0)]
    for protect in (False, True):
        rows = score(stages, candidates, [("q", "p", 1)], DOCUMENTS, {"q": [1, 0]}, protect_judged_positives=protect)
        assert select(rows, "doc_id", "is_known_positive") == [("a", protect), ("b", False)]


def test_one_row_per_positive(stages: Stages) -> None:
    positives = [("q", name, i + 1) for i, name in enumerate("pabc")]
    rows = score(stages, [("q", "zero", "bm25", 1, 1.0)], positives, DOCUMENTS, {"q": [1, 0]}, positives_per_query=3)
    assert select(rows, "positive_id", "doc_id") == [("a", "zero"), ("b", "zero"), ("p", "zero")]


def test_no_candidates_give_no_rows(stages: Stages) -> None:
    assert score(stages, [], [("q", "p", 1)], DOCUMENTS, {"q": [1, 0]}) == []


coordinate = st.integers(-3, 3).map(float)
vectors = st.lists(st.lists(coordinate, min_size=3, max_size=3), min_size=3, max_size=8)


def cosine_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """1 - cosine of all pairs; 1 where one of them is zero."""
    norms = np.linalg.norm(left, axis=1)[:, None] * np.linalg.norm(right, axis=1)[None, :]
    return 1 - np.divide(left @ right.T, norms, out=np.zeros_like(norms), where=norms > 0)


@given(vectors, vectors)
@settings(max_examples=25, deadline=None)
def test_distances_equal_numpy(documents: list[list[float]], queries: list[list[float]]) -> None:
    names = {f"d{i}": vector for i, vector in enumerate(documents)}
    asked = {f"q{i}": vector for i, vector in enumerate(queries)}
    candidates = [(query, name, "bm25", i + 1, 1.0) for query in asked for i, name in enumerate(names)]
    rows = score(DATABASE, candidates, [(query, "d0", 1) for query in asked], names, asked)
    left, right = np.array(documents), np.array(queries)
    query_doc, between = cosine_distances(right, left), cosine_distances(left, left)
    assert len(rows) == len(candidates)
    for row in rows:
        query, document = int(row["query_id"][1:]), int(row["doc_id"][1:])
        assert row["d_query_doc"] == pytest.approx(query_doc[query, document], abs=1e-6)
        assert row["d_query_positive"] == pytest.approx(query_doc[query, 0], abs=1e-6)
        assert row["d_positive_doc"] == pytest.approx(between[0, document], abs=1e-6)

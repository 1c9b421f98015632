"""Questions of train, dev and test are kept apart: by `queries`, by a test of `triplets`, and in `split_leaks`."""

import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sql_stages import SQL, Stages, select

from hnm.project.templating import Rendering

DATABASE = Stages()


def splits(stages, rows):
    """The split of each query, given (query_id, text, split) and a judgment of each."""
    stages.give("collection.queries", rows)
    stages.give("collection.judgments", [(row[0], "d", 1) for row in rows])
    return {row["query_id"]: row["split"] for row in stages.build("queries")}


@pytest.mark.parametrize("other", ["what is  lupus", "What is LUPUS?", "«What is… lupus?!»"])
def test_queries_that_ask_the_same_share_the_split_furthest_from_training(stages, other):
    rows = [("q1", "What is lupus?", "train"), ("q2", other, "test"), ("q3", "what is lupus", "dev"),
            ("q4", "what is a lupus", "train")]  # fmt: skip
    assert splits(stages, rows) == {"q1": "test", "q2": "test", "q3": "test", "q4": "train"}


def test_texts_of_nothing_but_punctuation_are_told_apart(stages):
    rows = [("q1", "==", "train"), ("q2", "!=", "test"), ("q3", "!= ", "dev")]
    assert splits(stages, rows) == {"q1": "train", "q2": "test", "q3": "test"}


def test_an_unjudged_query_stays_unjudged_and_moves_none(stages):
    stages.give(
        "collection.queries", [("q1", "a", "train"), ("q2", "a", None), ("q3", "b", "dev"), ("q4", "c", "test")]
    )
    stages.give("collection.judgments", [("q1", "d", 1)])
    assert {row["query_id"]: row["split"] for row in stages.build("queries")} == {
        "q1": "train", "q2": "unjudged", "q3": "dev", "q4": "test",
    }  # fmt: skip


def test_queries_cut_by_the_hash_of_their_ids_share_a_split_too(stages):
    rows = [(f"q{number}", f"question {number // 2}", None) for number in range(200)]
    found = splits(stages, rows)
    assert all(found[f"q{number}"] == found[f"q{number + 1}"] for number in range(0, 200, 2))
    assert set(found.values()) == {"train", "dev", "test"}


def leaks(stages, rows, judgments=(), **variables):
    """Pairs that are found, of (query_id, text, split)."""
    stages.give("queries", rows)
    stages.give("judgments", judgments)
    return stages.build("split_leaks", **variables)


def test_near_duplicates_across_splits_are_found(stages):
    rows = [
        ("q1", "what are the symptoms of lupus in adults", "train"),
        ("q2", "What are the symptoms of lupus in an adults?", "test"),
        ("q3", "what are the treatments of gout", "test"),
        ("q4", "what are the symptoms of lupus in adults!", "train"),
        ("q5", "what are the symptoms of lupus in adults", "unjudged"),
    ]
    found = leaks(stages, rows, [("q1", "d1", 1), ("q2", "d1", 2), ("q2", "d2", 1), ("q4", "d1", 0)])
    assert select(found, "query_id", "other_id", "kind", "similarity", "shared_answers") == [
        ("q1", "q2", "near_duplicate", pytest.approx(8 / 9), 1),
        ("q2", "q4", "near_duplicate", pytest.approx(8 / 9), 0),
    ]


def test_the_same_question_is_found_whatever_the_least_similarity(stages):
    rows = [("q1", "==", "train"), ("q2", "== ", "test"), ("q3", "A b", "train"), ("q4", "a, b", "dev")]
    found = leaks(stages, rows, near_duplicate_similarity=1)
    assert select(found, "query_id", "other_id", "kind") == [("q1", "q2", "same_text"), ("q3", "q4", "same_text")]


def test_nothing_to_compare(stages):
    assert leaks(stages, []) == []
    assert leaks(stages, [("q1", "a", "train")]) == []


QUESTIONS = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcdef"), min_size=1, max_size=7).map(" ".join),
        st.sampled_from(["train", "dev", "test", "unjudged"]),
    ),
    max_size=12,
)


@given(questions=QUESTIONS, least=st.sampled_from([0.3, 0.5, 0.8, 1.0]))
@settings(max_examples=60, deadline=None)
def test_exactly_those_pairs_are_found_that_a_comparison_of_all_finds(questions, least):
    rows = [(f"q{number:02}", text, split) for number, (text, split) in enumerate(questions)]
    expected = set()
    for (one, text, split), (other, other_text, other_split) in combinations(rows, 2):
        words, other_words = set(re.findall(r"\w+", text)), set(re.findall(r"\w+", other_text))
        close = len(words & other_words) / len(words | other_words) >= least
        if split != other_split and "unjudged" not in (split, other_split) and (close or text == other_text):
            expected.add((one, other))
    found = leaks(DATABASE, rows, near_duplicate_similarity=least)
    assert {(row["query_id"], row["other_id"]) for row in found} == expected


def offending(stages):
    path = SQL / "tests" / "training_is_apart_from_evaluation.sql"
    return stages.rows(stages.templates.render_sql(path.read_text(), path, Rendering("triplets", {})))


def test_triplets_of_a_question_that_another_split_asks_are_refused(stages):
    stages.give(
        "queries", [("q1", "a b", "train"), ("q2", "A, b", "test"), ("q3", "c", "dev"), ("q4", "a b", "unjudged")]
    )
    stages.give(
        "triplets", [("q1", "a b", "train"), ("q3", "c", "dev")], "query_id varchar, query varchar, split varchar"
    )
    assert select(offending(stages), "query_id", "other_id", "other_split") == [("q1", "q2", "test")]
    stages.give("queries", [("q1", "a b", "train"), ("q3", "c", "dev")])
    assert offending(stages) == []

"""corpus, queries, judgments, unknown_judgments, texts."""

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sql_stages import Stages, select

DATABASE = Stages()

SPLITS = ["train", "dev", "test"]


def splits(stages: Stages, queries: list[tuple[Any, ...]], judgments: list[tuple[Any, ...]], **variables: Any) -> Any:
    """The split of each query, given (query_id, split) and judgments (query_id, split)."""
    stages.give("collection.queries", [(name, f"text of {name}", split) for name, split in queries])
    stages.give("collection.judgments", [(name, f"d{i}", 1, split) for i, (name, split) in enumerate(judgments)])
    return {row["query_id"]: row["split"] for row in stages.build("queries", **variables)}


def test_corpus_trims_and_has_no_null_texts(stages: Stages) -> None:
    stages.give("collection.corpus", [("d1", " A title\n", "\t text \r\n", "{}"), ("d2", None, "x", None)])
    assert select(stages.build("corpus"), "doc_id", "title", "text", "metadata") == [
        ("d1", "A title", "text", "{}"),
        ("d2", "", "x", None),
    ]


def test_query_keeps_the_split_of_the_source(stages: Stages) -> None:
    given_splits = [("q1", "train"), ("q2", "dev"), ("q3", "test")]
    assert splits(stages, given_splits, [("q1", "test")]) == dict(given_splits)


def test_query_judged_in_several_splits_goes_to_the_one_furthest_from_training(stages: Stages) -> None:
    judgments = [
        (q, s) for q, several in {"q1": SPLITS, "q2": ["train", "dev"], "q3": ["train"]}.items() for s in several
    ]
    assert splits(stages, [("q1", None), ("q2", None), ("q3", None)], judgments) == {
        "q1": "test",
        "q2": "dev",
        "q3": "train",
    }


def test_unknown_name_of_a_split_is_kept_for_the_data_test_to_refuse(stages: Stages) -> None:
    judgments = [("q1", "holdout"), ("q1", "train"), ("q2", "train"), ("q3", "dev"), ("q4", "test")]
    assert splits(stages, [(f"q{i}", None) for i in range(1, 5)], judgments)["q1"] == "holdout"


def test_query_without_split_and_judgments_is_unjudged_unless_it_may_have_clicks(stages: Stages) -> None:
    queries = [("q1", "train"), ("q2", "dev"), ("q3", "test"), ("q4", None)]
    assert splits(stages, queries, [])["q4"] == "unjudged"
    assert splits(stages, queries, [], positives_from="clicks")["q4"] == "train"


def test_judged_query_without_a_split_trains_when_others_have_splits(stages: Stages) -> None:
    queries = [("q1", "train"), ("q2", "dev"), ("q3", "test"), ("q4", None)]
    assert splits(stages, queries, [("q4", None)])["q4"] == "train"


def test_an_empty_split_is_none(stages: Stages) -> None:
    queries = [("q1", "train"), ("q2", "dev"), ("q3", "test"), ("q4", "")]
    assert splits(stages, queries, [("q4", "")])["q4"] == "train"


def share(found: dict[str, str], split: str) -> float:
    return sum(value == split for value in found.values()) / len(found)


@pytest.mark.parametrize("only", [*SPLITS, None])
def test_a_single_split_is_cut_80_10_10(stages: Stages, only: str | None) -> None:
    names = [f"q{i}" for i in range(1000)]
    found = splits(stages, [(name, only) for name in names], [(name, only) for name in names])
    assert share(found, "train") == pytest.approx(0.8, abs=0.04)
    assert share(found, "dev") == pytest.approx(0.1, abs=0.03)
    assert share(found, "test") == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(
    ("missing", "cut", "rest", "expected"),
    [("test", "dev", "train", 0.5), ("train", "dev", "test", 0.8), ("dev", "train", "test", 0.1)],
)
def test_a_missing_split_is_cut_from_its_neighbour(
    stages: Stages, missing: str, cut: str, rest: str, expected: float
) -> None:
    found = splits(stages, [(f"q{i}", cut) for i in range(1000)] + [("other", rest)], [])
    assert found.pop("other") == rest
    assert share(found, missing) == pytest.approx(expected, abs=0.05)
    assert share(found, cut) == pytest.approx(1 - expected, abs=0.05)


def test_clicked_queries_train_when_only_test_queries_are_judged(stages: Stages) -> None:
    judged = [(f"t{i}", None) for i in range(5)]
    clicked = [(f"c{i}", None) for i in range(200)]
    found = splits(stages, judged + clicked, [(name, "test") for name, _ in judged], positives_from="clicks")
    assert {found[name] for name, _ in judged} == {"test"}
    assert {found[name] for name, _ in clicked} == {"train", "dev"}


@given(st.sets(st.integers(0, 500), min_size=20, max_size=60), st.sets(st.integers(0, 500), max_size=20))
@settings(max_examples=20, deadline=None)
def test_other_queries_change_no_split(first: set[int], more: set[int]) -> None:
    def assigned(names: set[int]) -> dict[str, str]:
        rows = [(f"q{i}", "dev" if i % 3 else "train") for i in sorted(names | {0, 1})]
        return splits(DATABASE, rows, [])

    fewer, every = assigned(first), assigned(first | more)
    assert {name: every[name] for name in fewer} == fewer


def test_cap_keeps_some_training_queries_and_all_others(stages: Stages) -> None:
    queries = [(f"q{i}", "train") for i in range(50)] + [("d", "dev"), ("t", "test")]
    found = {n: splits(stages, queries, [], max_train_queries=n) for n in (5, 10)}
    assert len(found[5]) == 7
    assert len(found[10]) == 12
    assert found[5].items() <= found[10].items()
    assert len(splits(stages, queries, [], max_train_queries=None)) == 52


def test_no_queries_give_no_rows(stages: Stages) -> None:
    assert splits(stages, [], []) == {}


def test_judgments_of_unknown_ids_are_set_aside_with_a_reason(stages: Stages) -> None:
    stages.give("collection.corpus", [("d1", "", "x"), ("d2", "", "y"), ("d3", "", "cleaned away")])
    # A source's own missing id must not make every other id known.
    stages.give("collection.queries", [("q1", "x"), ("q2", "capped away"), (None, "x")])
    stages.give("corpus", [("d1", "", "x"), ("d2", "", "y")])
    stages.give("queries", [("q1", "x", "test")])
    stages.give(
        "collection.judgments",
        [
            ("q1", "d1", 1, "train"),
            ("q1", "d1", 2, "test"),
            ("q1", "d2", 0, None),
            ("q1", "d9", 1),
            ("q9", "d1", 1),
            ("q9", "d9", 1),
            (None, "d1", 1),
            ("q1", "d3", 1),
            ("q2", "d1", 1),
        ],
    )
    judged = select(stages.build("judgments"), "query_id", "doc_id", "grade", "split")
    assert judged == [("q1", "d1", 2, "test"), ("q1", "d2", 0, "test")]
    assert select(stages.build("unknown_judgments"), "query_id", "doc_id", "problem") == [
        ("q1", "d3", "document_left_out"),
        ("q1", "d9", "unknown_document"),
        ("q2", "d1", "query_left_out"),
        ("q9", "d1", "unknown_query"),
        ("q9", "d9", "unknown_query"),
        (None, "d1", "unknown_query"),
    ]


def test_texts_join_title_and_text_and_hash_them(stages: Stages) -> None:
    stages.give("corpus", [("d1", "Title", "Text"), ("d2", "", "text"), ("x", "", "TEXT ")])
    stages.give("queries", [("x", "text", "test")])
    rows = {(row["kind"], row["id"]): row for row in stages.build("texts")}
    assert rows["document", "d1"]["text"] == "Title\nText"
    assert rows["document", "d1"]["text_hash"] == hashlib.md5(b"Title\nText").hexdigest()  # noqa: S324 -- as in SQL
    # An id may name a document and a query; equal texts have equal hashes.
    assert rows["document", "d2"]["text_hash"] == rows["query", "x"]["text_hash"]
    assert rows["document", "x"]["text_hash"] != rows["query", "x"]["text_hash"]

"""The triplets that a training may use: columns, weights, teachers."""

from typing import Any

import pyarrow as pa
import pytest

from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.training.groups import Group, Share, Tally, Triplets
from hnm.training.recipe import TeacherColumnsParams
from hnm.training.source import triplet_source

SHARES = [Share(("random",), 3)]


def table(**more: list[Any]) -> pa.Table:
    return pa.table(
        {
            "query_id": ["q1", "q1", "q2", "q2"],
            "positive_id": ["p1", "p1", "p2", "p2"],
            "negative_id": ["a", "b", "a", "c"],
            "query": ["one", "one", "two", "two"],
            "positive": ["P1", "P1", "P2", "P2"],
            "negative": ["A", "B", "A", "C"],
            "strategy": ["random"] * 4,
            **more,
        }
    )


def groups(inputs: Inputs, **options: Any) -> dict[str, Group]:
    source = triplet_source(inputs, None, **options)
    found = Triplets(inputs, source).groups(SHARES, None, 64, 0, Tally())
    return {group.query_id: group for group in found}


def teacher(*rows: tuple[str, str, float | None]) -> pa.Table:
    names = ("query_id", "doc_id", "score")
    schema = pa.schema({"query_id": pa.string(), "doc_id": pa.string(), "score": pa.float32()})
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(StageError, match=r"no column 'negative_id'(.|\n)*rows with the same query_id and positive_id"):
        groups(Inputs.of(triplets=table().drop_columns("negative_id")))
    with pytest.raises(StageError, match=r"no column 'wieght'(.|\n)*did you mean 'weight'"):
        groups(Inputs.of(triplets=table(weight=[1.0] * 4)), weight_column="wieght")


def test_weights_are_those_of_the_positive() -> None:
    found = groups(Inputs.of(triplets=table(trust=[0.5, 0.5, 2, 2])), weight_column="trust")
    assert {query: group.weight for query, group in found.items()} == {"q1": 0.5, "q2": 2.0}
    assert {group.weight for group in groups(Inputs.of(triplets=table(trust=[0.5, 0.5, 2, 2]))).values()} == {1.0}


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), None, 1e300])
def test_weights_that_are_none(bad: float | None) -> None:
    with pytest.raises(StageError, match="query 'q2' is"):
        groups(Inputs.of(triplets=table(trust=[1.0, 1.0, 1.0, bad])), weight_column="trust")


def test_a_weight_that_is_a_text() -> None:
    with pytest.raises(StageError, match="query of query 'q1' is one"):
        groups(Inputs.of(triplets=table()), weight_column="query")


def test_ids_and_texts_that_are_missing_or_no_texts() -> None:
    with pytest.raises(StageError, match=r"negative is missing in a row(.|\n)*query_id 'q2', positive_id 'p2'"):
        groups(Inputs.of(triplets=table(negative=["A", "B", "A", None])))
    with pytest.raises(StageError, match="query_id is missing in a row"):
        groups(Inputs.of(triplets=table(query_id=["q1", "q1", "q2", None])))
    with pytest.raises(StageError, match=r"query_id is int64(.|\n)*query_id::varchar makes it one"):
        groups(Inputs.of(triplets=table(query_id=[1, 1, 2, 2])))


def test_a_teachers_scores_stand_beside_the_documents() -> None:
    scores = teacher(("q1", "p1", 3), ("q1", "a", 1), ("q1", "b", 2), ("q2", "a", 0), ("q2", "c", -1))
    inputs = Inputs.of(triplets=table(), teacher=scores)
    source = triplet_source(inputs, None, needs_teacher=True)
    found = groups(inputs, needs_teacher=True)
    assert found.keys() == {"q1"}  # the teacher does not know q2's positive
    by_document = dict(zip(found["q1"].negative_ids, found["q1"].teacher[1:], strict=True))
    assert (found["q1"].teacher[0], by_document) == (3.0, {"a": 1.0, "b": 2.0})
    assert source.untaught == 2
    assert groups(inputs)["q2"].teacher is None


def test_a_teacher_in_columns() -> None:
    triplets = table(d_p=[0.1] * 4, d_n=[0.3, 0.2, None, 0.4])
    columns = TeacherColumnsParams(positive="d_p", negative="d_n", distances=True)
    found = groups(Inputs.of(triplets=triplets), needs_teacher=True, teacher_columns=columns)
    assert found["q2"].negative_ids == ("c",)
    assert found["q2"].teacher == pytest.approx((-0.1, -0.4))


def test_a_teachers_scores_are_numbers() -> None:
    for bad in (float("nan"), float("inf")):
        scores = teacher(("q1", "p1", 3), ("q1", "a", bad), ("q1", "b", None))
        with pytest.raises(StageError, match=f"teacher: score of query 'q1' is {bad}"):
            groups(Inputs.of(triplets=table(), teacher=scores), needs_teacher=True)
    with pytest.raises(StageError, match=r"teacher: no column 'score'(.|\n)*the loss learns its scores"):
        inputs = Inputs.of(triplets=table(), teacher=scores.rename_columns(["query_id", "doc_id", "grade"]))
        groups(inputs, needs_teacher=True)
    with pytest.raises(StageError, match="triplets: negative of query 'q1' is A"):
        columns = TeacherColumnsParams(positive="d", negative="negative")
        groups(Inputs.of(triplets=table(d=[0.1] * 4)), needs_teacher=True, teacher_columns=columns)


def test_a_teacher_is_one_and_scores_once() -> None:
    columns = TeacherColumnsParams(positive="d", negative="d")
    scores = teacher(("q1", "p1", 3), ("q1", "p1", 4))
    with pytest.raises(StageError, match="there is none"):
        groups(Inputs.of(triplets=table()), needs_teacher=True)
    with pytest.raises(StageError, match="two teachers"):
        groups(Inputs.of(triplets=table(), teacher=scores), needs_teacher=True, teacher_columns=columns)
    with pytest.raises(StageError, match="'p1' has two scores for query 'q1'"):
        groups(Inputs.of(triplets=table(), teacher=scores), needs_teacher=True)
    with pytest.raises(StageError, match="no column 'd'"):
        groups(Inputs.of(triplets=table()), needs_teacher=True, teacher_columns=columns)
    with pytest.raises(StageError, match="none of the triplets"):
        groups(Inputs.of(triplets=table(), teacher=teacher(("q9", "p1", 1))), needs_teacher=True)

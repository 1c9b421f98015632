"""Validation on held-out lists, and which step's weights are kept."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hnm.context import Settings
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.training.best import best_step
from hnm.training.recipe import ValidationParams
from hnm.training.validation import Validation, read_validation

LISTS = {
    "query_id": ["q1", "q1", "q1", "q2", "q2", "q3"],
    "doc_id": ["a", "b", "c", "a", "c", "a"],
    "rank": [1, 2, 3, 1, 2, 1],
}
TEXTS = {
    "kind": ["query"] * 3 + ["document"] * 3,
    "id": ["q1", "q2", "q3", "a", "b", "c"],
    "text": ["q", "w", "e", "aa", "bb", "cc"],
}
JUDGED = {
    "query_id": ["q1", "q2", "q3", "q1"],
    "doc_id": ["b", "z", "a", "c"],
    "grade": [1, 2, 1, 0],
    "split": ["dev", "dev", "train", "dev"],
}


def read(params: ValidationParams | None = None, **changed: dict[str, list[Any]] | None) -> Validation | None:
    tables = {"validation": LISTS, "texts": TEXTS, "judgments": JUDGED} | changed
    inputs = Inputs.of(**{name: pa.table(table) for name, table in tables.items() if table is not None})
    return read_validation(inputs, params or ValidationParams(), 32, 0)


def test_the_judged_queries_of_the_split_are_read() -> None:
    found = read()
    assert found is not None
    assert found.judged == {"q1": {"b": 1, "c": 0}, "q2": {"z": 2}}
    assert found.places == [("q1", "a"), ("q1", "b"), ("q1", "c"), ("q2", "a"), ("q2", "c")]
    assert found.pairs[1] == ("q", "bb")
    assert read(validation=None) is None


def test_depth_number_of_queries_and_splits() -> None:
    one, shallow, every = (
        read(ValidationParams(**params)) for params in ({"queries": 1}, {"depth": 1}, {"splits": None})
    )
    assert one and shallow and every
    assert len(one.judged) == 1
    assert shallow.places == [("q1", "a"), ("q2", "a")]
    assert every.judged.keys() == {"q1", "q2", "q3"}


def test_a_query_of_two_splits_keeps_the_judgments_of_both() -> None:
    more = {"query_id": "q1", "doc_id": "a", "grade": 1, "split": "test"}
    twice = {name: [*values, more[name]] for name, values in JUDGED.items()}
    found = read(ValidationParams(splits=None), judgments=twice)
    assert found and found.judged["q1"] == {"a": 1, "b": 1, "c": 0}


def test_a_column_that_is_missing_is_named() -> None:
    with pytest.raises(StageError, match="validation: no column 'rank'"):
        read(validation={name: values for name, values in LISTS.items() if name != "rank"})


def test_the_value_is_that_of_the_reranked_lists(tiny_cross_encoder: Path) -> None:
    from hnm.models.cross_encoder import open_cross_encoder, score_pairs

    settings = Settings(precision="fp32")
    model = open_cross_encoder(tiny_cross_encoder, settings, 32)
    found = read()
    assert found is not None
    scores = dict(zip(found.places, score_pairs(model, found.pairs, settings, 8), strict=True))
    rank = 1 + sum(scores["q1", other] > scores["q1", "b"] for other in ("a", "c"))
    assert found.value(model, settings) == pytest.approx((1 / rank + 0) / 2)  # q2's answer is not in its list


def test_equal_scores_keep_the_lists_order(tiny_cross_encoder: Path) -> None:
    from hnm.models.cross_encoder import open_cross_encoder

    settings = Settings(precision="fp32")
    model = open_cross_encoder(tiny_cross_encoder, settings, 32)
    same = TEXTS | {"text": ["q", "w", "e", "aa", "aa", "aa"]}
    found = read(texts=same)
    assert found is not None
    assert found.value(model, settings) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"texts": None}, "validation needs the input 'texts'"),
        ({"judgments": JUDGED | {"grade": [0, 0, 0, 0]}}, "no listed query has a right document"),
        ({"validation": LISTS | {"doc_id": ["a", "a", "c", "a", "c", "a"]}}, "query 'q1' has a document twice"),
        ({"texts": TEXTS | {"id": ["q1", "q2", "q3", "a", "b", "x"]}}, "texts: document 'c' is missing"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(StageError, match=message):
        read(**changed)


def test_the_first_of_the_best_steps() -> None:
    assert best_step([]) is None
    assert best_step([{"step": 1, "loss": 1.0}]) is None
    history = [
        {"step": 0, "validation": 0.5},
        {"step": 1},
        {"step": 2, "validation": 0.7},
        {"step": 4, "validation": 0.7},
    ]
    assert best_step(history) == 2

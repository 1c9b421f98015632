"""Passages: together they are the document, each is as long as asked for, and neighbours overlap."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transforms.split_passages import PassagesParams, split_passages

HERE = Path()
Row = tuple[str | None, str | None, str | None]


def split(rows: list[Row], **params: object) -> pa.Table:
    columns = [*zip(*rows, strict=True)] or [(), (), ()]
    corpus = pa.table([pa.array(column, pa.string()) for column in columns], names=["doc_id", "title", "text"])
    context = Context("passages", HERE, HERE)
    return pa.Table.from_batches(list(split_passages(Inputs.of(corpus=corpus), PassagesParams(**params), context)))


def texts(heading: str | None, text: str | None, **params: object) -> list[str]:
    made: list[str] = split([("d", heading, text)], **params)["text"].to_pylist()
    return made


def test_by_hand() -> None:
    assert split([("b", "T", "one two  three\nfour five"), ("a", None, "one")], size=3, overlap=1).to_pylist() == [
        {"doc_id": "a", "passage_id": "a#1", "place": 1, "text": "one"},
        {"doc_id": "b", "passage_id": "b#1", "place": 1, "text": "T\none two  three"},
        {"doc_id": "b", "passage_id": "b#2", "place": 2, "text": "T\nthree\nfour five"},
    ]
    assert texts("T", "東京都に住む", size=4, overlap=2, unit="characters", title=False) == ["東京都に", "都に住む"]


def test_no_passage_lies_within_another() -> None:
    assert texts(None, "1 2 3 4", size=4, overlap=3) == ["1 2 3 4"]
    assert texts(None, "1 2 3 4 5", size=4, overlap=3) == ["1 2 3 4", "2 3 4 5"]
    assert texts(None, "1 2", size=4, overlap=3) == ["1 2"]


@given(
    st.lists(st.sampled_from(["fox", "é", "東京", "x-1"]), min_size=1, max_size=30),
    st.integers(1, 9),
    st.integers(0, 8),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_passages_are_windows_that_cover_the_text(words: list[str], size: int, overlap: int) -> None:
    overlap = min(overlap, size - 1)
    found = [passage.split() for passage in texts("T", " ".join(words), size=size, overlap=overlap, title=False)]
    assert all(len(passage) == size for passage in found[:-1])
    assert 0 < len(found[-1]) <= size
    again = found[0]
    for before, passage in pairwise(found):
        assert len(passage) > overlap
        assert passage[:overlap] == before[size - overlap :]
        again = again + passage[overlap:]
    assert again == words


def test_blank_documents() -> None:
    rows: list[Row] = [("a", "Title", " \n"), ("b", " ", None), ("c", None, ""), ("d", "", "text")]
    assert split(rows)["text"].to_pylist() == ["Title", "text"]
    assert split(rows, title=False)["text"].to_pylist() == ["Title", "text"]


def test_no_documents_give_one_empty_batch_with_the_columns() -> None:
    assert split([]).schema.names == ["doc_id", "passage_id", "place", "text"]


def test_ids_of_passages_are_different_whatever_the_ids_of_documents() -> None:
    ids = split([("a", "", "1 2"), ("a#1", "", "1 2"), ("é", "", "1")], size=1, overlap=0)["passage_id"].to_pylist()
    assert ids == ["a#1", "a#2", "a#1#1", "a#1#2", "é#1"]


def test_a_document_without_an_id_is_refused() -> None:
    with pytest.raises(StageError, match="1 rows have no doc_id"):
        split([(None, "", "text")])


@pytest.mark.parametrize("params", [{"size": 0}, {"overlap": -1}, {"size": 3, "overlap": 3}, {"unit": "tokens"}])
def test_refuses_impossible_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PassagesParams(**params)


def test_ids_may_be_numbers() -> None:
    corpus = pa.table({"doc_id": [10, 9], "title": ["", ""], "text": ["b", "a"]})
    context = Context("passages", Path(), Path())
    batches = list(split_passages(Inputs.of(corpus=corpus), PassagesParams(), context))
    assert pa.Table.from_batches(batches)["passage_id"].to_pylist() == ["9#1", "10#1"]

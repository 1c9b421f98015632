"""What a transform reads."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.errors import StageError
from hnm.inputs import Inputs

TEXTS = pa.table({"id": ["a", "b", "c"], "text": ["x", "ü🦆", None]})


def test_tables_are_read_under_their_names():
    inputs = Inputs.of(texts=TEXTS, numbers=pa.table({"n": [1]}))
    assert inputs.table("select id from texts order by id").column(0).to_pylist() == ["a", "b", "c"]
    assert inputs.tables == ("texts", "numbers")
    assert "texts" in inputs
    assert "nothing" not in inputs
    assert inputs.count("texts") == 3


def test_names_need_not_be_plain_words():
    inputs = Inputs.of(**{'odd "name"; drop': TEXTS})
    assert inputs.count('odd "name"; drop') == 3


@pytest.mark.parametrize("value", ["b", "x' or '1'='1", 'b" --', ""])
def test_values_are_bound_and_never_text_of_the_query(value):
    found = Inputs.of(texts=TEXTS).table("select text from texts where id = $id", {"id": value})
    assert found.num_rows == (value == "b")


@given(rows=st.integers(0, 300), size=st.integers(1, 100))
@settings(deadline=None, max_examples=20)
def test_batches_are_bounded_and_whole(rows, size):
    inputs = Inputs.of(numbers=pa.table({"n": pa.array(range(rows), pa.int64())}))
    batches = list(inputs.sql("select n from numbers order by n", batch_rows=size))
    assert all(batch.num_rows <= size for batch in batches)
    assert [n for batch in batches for n in batch.column(0).to_pylist()] == list(range(rows))


def test_an_empty_table_keeps_its_columns():
    found = Inputs.of(texts=TEXTS.slice(0, 0)).table("select * from texts")
    assert (found.num_rows, found.schema.names) == (0, ["id", "text"])


def test_several_streams_are_open_at_once():
    inputs = Inputs.of(numbers=pa.table({"n": pa.array(range(5000))}))
    first = inputs.sql("select n from numbers order by n", batch_rows=100)
    second = inputs.sql("select n from numbers order by n desc", batch_rows=100)
    pairs = list(zip(first, second, strict=True))
    assert pairs[0][0].column(0)[0].as_py() == 0
    assert pairs[0][1].column(0)[0].as_py() == 4999
    assert inputs.count("numbers") == 5000


def test_a_query_that_fails_says_what_it_missed():
    with pytest.raises(duckdb.CatalogException, match="nope"):
        Inputs.of(texts=TEXTS).table("select * from nope")


def test_a_model_is_a_folder(tmp_path):
    inputs = Inputs.of({"reranker": tmp_path}, texts=TEXTS)
    assert inputs.model("reranker") == tmp_path
    assert "reranker" in inputs
    with pytest.raises(StageError) as caught:
        inputs.model("rerankr")
    assert caught.value.hint == "did you mean 'reranker'?"


def test_a_lance_dataset_is_read_like_a_table(tmp_path: Path):
    import lance

    dataset = lance.write_dataset(TEXTS, str(tmp_path / "texts.lance"))
    inputs = Inputs(duckdb.connect(), (), {"texts": dataset})
    assert inputs.table("select text from texts where id = $id", {"id": "b"}).column(0).to_pylist() == ["ü🦆"]

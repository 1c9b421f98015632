"""What a transform reads."""

from pathlib import Path

import duckdb
import numpy as np
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


# Rows in order


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=3)), max_size=12), st.booleans())
def test_rows_come_in_order_however_they_are_stored(rows, stored_so):
    rows = sorted(rows) if stored_so else rows
    table = pa.table(
        {"kind": pa.array([kind for kind, _ in rows], pa.string()), "id": pa.array([i for _, i in rows], pa.string())}
    )
    inputs = Inputs.of(t=table)
    found = inputs.in_order("t", "kind, id", "kind, id").read_all().to_pylist()
    assert [(row["kind"], row["id"]) for row in found] == sorted(rows, key=lambda row: (row[0], row[1].encode()))
    some = inputs.in_order("t", "id", "id", "kind = $kind", {"kind": "b"}).read_all()["id"].to_pylist()
    assert some == sorted((i for kind, i in rows if kind == "b"), key=str.encode)


def test_vectors_that_are_stored_in_order_are_read_in_less_memory_than_they_take():
    count, width = 80_000, 256  # 82 MB
    values = pa.array(np.arange(count * width, dtype=np.float32))
    table = pa.table(
        {"id": [f"{i:05}" for i in range(count)], "vector": pa.FixedSizeListArray.from_arrays(values, width)}
    )
    inputs = Inputs(duckdb.connect(":memory:", config={"memory_limit": "60MB"}), (), {"t": table})
    read = inputs.in_order("t", "vector", "id", batch_rows=8_192)
    at = 0
    for batch in read:
        assert batch.column(0).flatten().equals(values[at : at + batch.num_rows * width])
        at += batch.num_rows * width
    assert at == len(values)

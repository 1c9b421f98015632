"""Training examples with their texts: what a join of all tables gives, in less memory."""

import random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triplets_in_memory import triplet_batches, triplets_of

from hnm.errors import StageError
from hnm.transforms import materialize_triplets as module
from hnm.transforms._text_file import text_file

BY_A_JOIN = """
    select
        query_id, positive_id, negative_id, queries.text as query, positives.text as positive,
        negatives.text as negative, rows.* exclude (query_id, positive_id, negative_id)
    from rows
    join texts as queries on queries.kind = 'query' and queries.id = query_id
    join texts as positives on positives.kind = 'document' and positives.id = positive_id
    join texts as negatives on negatives.kind = 'document' and negatives.id = negative_id
    order by query_id, positive_id, strategy, selected_rank, negative_id
"""


def tables(seed: int, queries: int, documents: int) -> dict[str, pa.Table]:
    """Some rows have a document without text."""
    some = random.Random(seed)
    rows = [
        {
            "query_id": f"q{query}",
            "positive_id": f"d{query % documents}",
            "negative_id": f"d{some.randrange(documents + 1)}",
            "the user's": some.random(),
            "strategy": strategy,
            "selected_rank": rank,
        }
        for query in range(queries)
        for strategy in ("paper", "random")
        for rank in (1, 2, 3)
    ]
    texts = [{"kind": "query", "id": f"q{i}", "text": f"what is ü {i}?" * some.randrange(3)} for i in range(queries)]
    texts += [{"kind": "document", "id": f"d{i}", "text": f"of {i}\n" * some.randrange(9)} for i in range(documents)]
    some.shuffle(rows)
    some.shuffle(texts)
    return {"rows": pa.Table.from_pylist(rows), "texts": pa.Table.from_pylist(texts)}


def joined(given: dict[str, Any]) -> pa.Table:
    with duckdb.connect() as connection:
        for name, table in given.items():
            connection.register(name, table)
        return connection.sql(BY_A_JOIN).to_arrow_table()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), queries=st.integers(1, 40), documents=st.integers(1, 20))
def test_it_is_the_join_of_all_tables(seed, queries, documents):
    given = tables(seed, queries, documents)
    assert triplets_of(**given).equals(joined(given))


def test_batches_are_bounded_and_nothing_stays_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 500)
    given = tables(0, 30, 10)
    batches = triplet_batches(**given, folder=tmp_path / "work")
    assert pa.Table.from_batches(batches).equals(joined(given))
    assert max(sum(batch[side].nbytes for side in ("query", "positive", "negative")) for batch in batches) < 900
    assert len(batches) > 10
    assert not list(tmp_path.rglob("*text*"))


def test_without_rows_there_are_columns():
    given = tables(0, 5, 5)
    given["rows"] = given["rows"].slice(0, 0)
    table = triplets_of(**given)
    assert table.num_rows == 0
    assert table.schema.equals(joined(given).schema)


def test_rows_without_an_id_or_with_a_text_are_refused():
    given = tables(0, 5, 5)
    with pytest.raises(StageError, match="no column 'negative_id'"):
        triplets_of(given["rows"].drop_columns("negative_id"), given["texts"])
    with pytest.raises(StageError, match="a column 'query'"):
        triplets_of(given["rows"].append_column("query", given["rows"]["query_id"]), given["texts"])


@pytest.mark.parametrize("places", [[], [0], [2, 0, 2, 1], [3, 3]])
def test_texts_of_places(tmp_path, places):
    import numpy as np

    texts = ["ä", None, "", "long " * 9]
    rows = pa.table({"kind": ["document"] * 5, "id": list("vwxyz"), "text": ["left out", *texts]}).slice(1)
    with text_file(tmp_path / "work", rows.to_batches(max_chunksize=3)) as store:
        asked = np.array(places, np.int64)
        assert store.texts(asked).to_pylist() == [texts[place] or "" for place in places]
        assert store.sizes(asked).tolist() == [len((texts[place] or "").encode()) for place in places]
        with duckdb.connect() as connection:
            found = connection.sql(f"select id, place from {store.relation()} order by place").fetchall()
        assert found == [("w", 0), ("x", 1), ("y", 2), ("z", 3)]

"""Training examples with their texts: what a join of all tables gives, in less memory."""

import random
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transforms import materialize_triplets as module
from hnm.transforms._text_file import text_file
from hnm.transforms.materialize_triplets import MaterializeTripletsParams, materialize_triplets

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


def made(folder: Path, given: dict[str, Any]) -> pa.Table:
    context = Context("triplets", folder, folder)
    batches = materialize_triplets(Inputs.of(**given), MaterializeTripletsParams(), context)
    return pa.Table.from_batches(list(batches))


def joined(given: dict[str, Any]) -> pa.Table:
    with duckdb.connect() as connection:
        for name, table in given.items():
            connection.register(name, table)
        return connection.sql(BY_A_JOIN).to_arrow_table()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), queries=st.integers(1, 40), documents=st.integers(1, 20))
def test_it_is_the_join_of_all_tables(tmp_path_factory, seed, queries, documents):
    given = tables(seed, queries, documents)
    assert made(tmp_path_factory.mktemp("work"), given).equals(joined(given))


def test_batches_are_bounded_and_nothing_stays_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 500)
    given = tables(0, 30, 10)
    context = Context("triplets", tmp_path / "work", tmp_path)
    batches = list(materialize_triplets(Inputs.of(**given), MaterializeTripletsParams(), context))
    assert pa.Table.from_batches(batches).equals(joined(given))
    assert max(sum(batch[side].nbytes for side in ("query", "positive", "negative")) for batch in batches) < 900
    assert len(batches) > 10
    assert not list(tmp_path.rglob("*text*"))


def test_without_rows_there_are_columns(tmp_path):
    given = tables(0, 5, 5)
    given["rows"] = given["rows"].slice(0, 0)
    table = made(tmp_path, given)
    assert table.num_rows == 0
    assert table.schema.equals(joined(given).schema)


def test_rows_without_an_id_or_with_a_text_are_refused(tmp_path):
    given = tables(0, 5, 5)
    with pytest.raises(StageError, match="no column 'negative_id'"):
        made(tmp_path, given | {"rows": given["rows"].drop_columns("negative_id")})
    with pytest.raises(StageError, match="a column 'query'"):
        made(tmp_path, given | {"rows": given["rows"].append_column("query", given["rows"]["query_id"])})


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

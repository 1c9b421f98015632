"""The library's own mining on the project's tables: what comes out is what the library gives, by id."""

from pathlib import Path

import pyarrow as pa
import pytest

from hnm.context import Context, Settings
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transforms.mine_sentence_transformers import MineSentenceTransformersParams, mine_sentence_transformers

MODEL = "wordllama-l2-supercat-256"
DOCUMENTS = {
    "d-paris": "Paris is the capital of France",
    "d-lyon": "Lyon is a city in France",
    "d-berlin": "Berlin is the capital of Germany",
    "d-bread": "Bread is made of flour and water",
    "d-again": "Lyon is a city in France",
    "d-blank": "",
}
QUERIES = {"q1": "capital of France", "q2": "what is bread made of", "q3": "capital of France"}
PAIRS = [("q1", "d-paris", "train"), ("q2", "d-bread", "dev"), ("q3", "d-lyon", "train"), ("q1", "d-berlin", "test")]


def mined(tmp_path: Path, pairs: list[tuple[str, str, str]] = PAIRS, **params: object) -> list[dict[str, object]]:
    texts = [{"kind": "document", "id": id_, "text": text} for id_, text in DOCUMENTS.items()]
    texts += [{"kind": "query", "id": id_, "text": text} for id_, text in QUERIES.items()]
    names = pa.schema([(name, pa.string()) for name in ("query_id", "doc_id", "split")])
    positives = pa.Table.from_pylist([dict(zip(names.names, pair, strict=True)) for pair in pairs], names)
    context = Context("mined", tmp_path, tmp_path / "work", Settings(device="cpu", cores=1, precision="fp32"))
    asked = MineSentenceTransformersParams(**{"model": MODEL, "num_negatives": 2, **params})  # type: ignore[arg-type] # by name
    inputs = Inputs.of(texts=pa.Table.from_pylist(texts), positives=positives)
    return pa.Table.from_batches(list(mine_sentence_transformers(inputs, asked, context))).to_pylist()


def test_negatives_come_by_id_with_texts_hardest_first_and_never_a_positive(tmp_path: Path) -> None:
    rows = mined(tmp_path, relative_margin=None)
    assert {(row["query_id"], row["positive_id"], row["split"]) for row in rows} == {
        ("q1", "d-paris", "train"), ("q2", "d-bread", "dev"), ("q3", "d-lyon", "train"),
    }  # fmt: skip
    assert all(row["negative"] == DOCUMENTS[str(row["negative_id"])] for row in rows)
    # q1 and q3 are one query to the library, so that neither one's positive is a negative of the other.
    assert not [row for row in rows if row["query_id"] in ("q1", "q3") and row["negative_id"] in ("d-paris", "d-lyon")]
    assert [row["selected_rank"] for row in rows] == [1, 2] * 3
    assert next(row["negative_id"] for row in rows if row["query_id"] == "q1") == "d-berlin"
    assert {row["strategy"] for row in rows} == {"sentence_transformers"}
    assert "d-lyon" not in {row["negative_id"] for row in rows}  # the first id of equal texts stands for all: d-again


def test_a_margin_leaves_out_what_is_too_close_to_the_positive(tmp_path: Path) -> None:
    close = mined(tmp_path, pairs=[("q1", "d-paris", "train")], relative_margin=None)
    apart = mined(tmp_path, pairs=[("q1", "d-paris", "train")], relative_margin=0.9)
    assert {row["negative_id"] for row in close} == {"d-again", "d-berlin"}
    assert {row["negative_id"] for row in apart} == {"d-bread", "d-blank"}


def test_a_draw_is_repeatable(tmp_path: Path) -> None:
    settings = {"sampling_strategy": "random", "num_negatives": 1, "range_max": 4, "relative_margin": None}
    assert mined(tmp_path / "one", **settings) == mined(tmp_path / "two", **settings)


def test_no_positives_give_an_empty_table_with_all_columns(tmp_path: Path) -> None:
    assert mined(tmp_path, pairs=[]) == []


def test_settings_that_the_library_refuses_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="sentence-transformers refuses to mine"):
        mined(tmp_path, range_min=5, range_max=5)

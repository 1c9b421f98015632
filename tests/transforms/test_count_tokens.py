"""Tokens of documents by a model's tokenizer."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hnm.context import Context
from hnm.errors import ModelError
from hnm.inputs import Inputs
from hnm.transforms.count_tokens import CountTokensParams, count_tokens


def counted(tmp_path: Path, documents: dict[str, str | None], ranks: dict[str, int], **params: Any) -> dict[str, int]:
    texts = [{"kind": "document", "id": name, "text": text} for name, text in documents.items()]
    texts.append({"kind": "query", "id": "d1", "text": "not a document"})
    runs = [{"query_id": "q", "doc_id": name, "rank": rank} for name, rank in ranks.items()]
    empty = pa.schema({"query_id": pa.string(), "doc_id": pa.string(), "rank": pa.int32()})
    inputs = Inputs.of(texts=pa.Table.from_pylist(texts), runs=pa.Table.from_pylist(runs, empty))
    context = Context("document_tokens", tmp_path, tmp_path / "work")
    table = pa.Table.from_batches(count_tokens(inputs, CountTokensParams(**params), context))
    assert table.schema.names == ["doc_id", "tokens"]
    return {row["doc_id"]: row["tokens"] for row in table.to_pylist()}


def test_words_of_the_vocabulary_are_one_token_each(tmp_path: Path) -> None:
    documents = {"d1": "the cat sat on the mat", "d2": "", "d3": None, "d4": "the cat " * 2_000}
    found = counted(tmp_path, documents, {"d1": 1, "d2": 2, "d3": 3, "d4": 4})
    assert found == {"d1": 6, "d2": 0, "d3": 0, "d4": 4_000}  # longer than any model reads, and not cut


def test_only_the_first_documents_of_the_lists_are_counted(tmp_path: Path) -> None:
    assert counted(tmp_path, {"d1": "one", "d2": "two", "d3": "six"}, {"d1": 1, "d2": 3}, top=2).keys() == {"d1"}


def test_no_lists(tmp_path: Path) -> None:
    assert counted(tmp_path, {"d1": "one"}, {}) == {}


def test_a_model_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"has no tokenizer\.json"):
        counted(tmp_path, {"d1": "one"}, {"d1": 1}, model="bare")

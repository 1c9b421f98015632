"""Writing BEIR folders, with the reader as the oracle."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.context import Context
from hnm.errors import HnmError
from hnm.inputs import Inputs
from hnm.readers._tables import CORPUS, JUDGMENTS, QUERIES
from hnm.readers.beir import BeirParams, beir
from hnm.writers.beir import write_beir

Rows = list[dict[str, Any]]

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
identifiers = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), min_size=1, max_size=8
).filter(str.strip)
texts = st.text(characters, min_size=1, max_size=40).filter(str.strip)
metadata = st.dictionaries(texts, st.none() | st.integers() | texts | st.lists(st.booleans(), max_size=2), max_size=3)


def batches(schema: pa.Schema, rows: Rows) -> list[pa.RecordBatch]:
    return pa.Table.from_pylist(rows, schema).to_batches(max_chunksize=2)


def write(folder: Path, corpus: Rows, queries: Rows, judgments: Rows) -> None:
    write_beir(
        folder,
        corpus=batches(CORPUS.schema(), corpus),
        queries=batches(QUERIES.schema(), queries),
        judgments=batches(JUDGMENTS.schema(), judgments),
    )


def read(folder: Path, table: Any) -> Rows:
    context = Context(stage=table, root=folder, workdir=folder)
    return pa.Table.from_batches(list(beir(Inputs.of(), BeirParams(path=".", table=table), context))).to_pylist()


def document(doc_id: str, **more: Any) -> dict[str, Any]:
    return {"doc_id": doc_id, "title": "", "text": "text", "metadata": "{}"} | more


def judgment(query_id: str = "q", doc_id: str = "d", split: str | None = "dev") -> dict[str, Any]:
    return {"query_id": query_id, "doc_id": doc_id, "grade": 1, "split": split}


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(identifiers, st.tuples(st.text(characters, max_size=5), texts, metadata), min_size=1, max_size=5),
    st.dictionaries(identifiers, st.tuples(texts, st.none() | st.just("dev")), min_size=1, max_size=5),
    st.dictionaries(st.tuples(identifiers, identifiers), st.integers(-1, 3), min_size=1, max_size=6),
)
def test_what_is_written_is_read_back(documents, questions, pairs):
    corpus = [
        document(doc_id, title=title, text=text, metadata=json.dumps(extra, sort_keys=True, ensure_ascii=False))
        for doc_id, (title, text, extra) in documents.items()
    ]
    queries = [{"query_id": key, "text": text, "split": split} for key, (text, split) in questions.items()]
    judgments = [
        {"query_id": query_id, "doc_id": doc_id, "grade": grade, "split": "train" if grade > 0 else "dev"}
        for (query_id, doc_id), grade in sorted(pairs.items(), key=lambda pair: pair[1] > 0)
    ]
    with TemporaryDirectory() as folder:
        target = Path(folder) / "out"
        write(target, corpus, queries, judgments)
        assert read(target, "corpus") == corpus
        assert read(target, "queries") == queries
        assert read(target, "judgments") == judgments
        assert [path.name for path in Path(folder).iterdir()] == ["out"]


def test_judgments_without_split_go_to_test(tmp_path):
    write(tmp_path / "out", [], [], [judgment(split=None)])
    assert (tmp_path / "out" / "qrels" / "test.tsv").read_text() == "query-id\tcorpus-id\tscore\nq\td\t1\n"
    assert (tmp_path / "out" / "corpus.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("judged", "message"),
    [
        (judgment(doc_id="a\tb"), "'a\\tb' cannot stand in a TSV file"),
        (judgment(query_id="a\nb"), "cannot stand in a TSV file"),
        (judgment(query_id=" "), "cannot stand in a TSV file"),
        (judgment(split="../up"), "split '../up' cannot be the name of a file"),
        (judgment(split=""), "split '' cannot be the name of a file"),
        (judgment(split=".hidden"), "cannot be the name of a file"),
    ],
)
def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, judged, message):
    with pytest.raises(HnmError) as error:
        write(tmp_path / "out", [document("d")], [], [judgment(), judged])
    assert message in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_metadata_must_be_json(tmp_path):
    with pytest.raises(HnmError, match="document 'd': its metadata is not JSON"):
        write(tmp_path / "out", [document("d", metadata="{")], [], [])


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(HnmError, match="the folder is not empty"):
        write(tmp_path, [document("d")], [], [])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", [document("d")], [], [])
    assert (tmp_path / "out" / "corpus.jsonl").exists()


def test_a_parent_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HnmError, match="cannot write"):
        write(tmp_path / "file" / "out", [document("d")], [], [])

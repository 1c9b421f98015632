"""Embedding: what is encoded, what is reused, and what a kill costs."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from hnm.context import Advance, Context, Settings
from hnm.errors import ModelError, StageError
from hnm.inputs import Inputs
from hnm.models.bi_encoder import load_bi_encoder
from hnm.models.vectors import embedding_schema, to_column
from hnm.transforms import _vector_parts
from hnm.transforms.embed import EmbedParams, embed

STATIC = "wordllama-l2-supercat-256"
FP32 = Settings(device="cpu", cores=1, precision="fp32")
Row = tuple[str, str, str | None]


class Watcher:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.totals: list[int | None] = []
        self.advanced = 0

    @contextmanager
    def progress(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        self.totals.append(total)
        yield self._advance

    def _advance(self, count: int) -> None:
        self.advanced += count

    def note(self, message: str) -> None:
        self.notes.append(message)


def digest(text: str | None) -> str:
    return hashlib.sha256((text or "").encode()).hexdigest()


def texts(rows: list[Row]) -> pa.Table:
    columns = [*zip(*rows, strict=True)] or [(), (), ()]
    arrays = [pa.array(column, pa.string()) for column in (*columns, [digest(row[2]) for row in rows])]
    return pa.table(arrays, names=["kind", "id", "text", "text_hash"])


def run(
    workdir: Path, rows: list[Row] | pa.Table, previous: pa.Table | None = None, **params: object
) -> tuple[pa.Table, Context]:
    table = rows if isinstance(rows, pa.Table) else texts(rows)
    context = Context("embeddings", Path("/"), workdir, FP32, Watcher())
    inputs = Inputs.of(texts=table) if previous is None else Inputs.of(texts=table, previous=previous)
    given = EmbedParams(**{"model": STATIC, **params})
    return pa.Table.from_batches(list(embed(inputs, given, context))), context


def vectors(table: pa.Table) -> NDArray[np.float32]:
    column = table["vector"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(table), column.type.list_size)


def as_table(rows: list[tuple[str, str, str]], matrix: NDArray[np.float32]) -> pa.Table:
    keys = [pa.array([row[i] for row in rows], pa.string()) for i in range(3)]
    return pa.table([*keys, to_column(matrix)], names=["kind", "id", "text_hash", "vector"])


ROWS: list[Row] = [
    ("query", "q1", "how to sort an array"),
    ("document", "d2", "Sort an array in place."),
    ("document", "d10", "naïve café 東京 🙂"),
    ("document", "d1", "Sort an array in place."),
]


def test_every_text_gets_its_vector_in_the_order_of_kind_and_id(tmp_path: Path) -> None:
    table, context = run(tmp_path, ROWS)
    assert table.schema == embedding_schema(256)
    rows = sorted(ROWS)
    assert table["id"].to_pylist() == [row[1] for row in rows] == ["d1", "d10", "d2", "q1"]
    assert table["text_hash"].to_pylist() == [digest(row[2]) for row in rows]
    plain = load_bi_encoder(STATIC, Path("/"), FP32).model.encode([row[2] for row in rows], normalize_embeddings=True)
    np.testing.assert_allclose(vectors(table), plain, atol=1e-6)
    assert context.facts["texts_encoded"] == 3
    assert context.facts["dimension"] == 256
    assert context.facts["encoder"] == STATIC
    assert context.facts["runs_on"] == "cpu (1 thread), fp32"


def test_a_transformer_gives_what_plain_sentence_transformers_gives(tiny_backbone: Path, tmp_path: Path) -> None:
    rows: list[Row] = [("document", f"{i:03}", "ab1 " * (i % 40 + 1)) for i in range(100)]
    table, context = run(tmp_path, rows, model=str(tiny_backbone), max_tokens=32, batch_size=4)
    model = load_bi_encoder(str(tiny_backbone), Path("/"), FP32, max_tokens=32).model
    plain = model.encode([row[2] for row in rows], normalize_embeddings=True)
    np.testing.assert_allclose(vectors(table), plain, atol=1e-5)
    assert context.facts["texts_encoded"] == 40
    # Three tokens a word and two around the text: 32 tokens are full from the tenth word on.
    assert context.facts["truncated_texts"] == 31
    assert context.facts["truncated_share"] == pytest.approx(31 / 40)
    assert isinstance(context.reporter, Watcher)
    assert context.reporter.notes == ["78% of the texts are cut: only their first 32 tokens are read"]


@pytest.mark.parametrize("long", [0, 1, 2])
def test_few_texts_that_are_cut_are_counted_without_a_note(long: int, tmp_path: Path) -> None:
    rows: list[Row] = [("document", f"{i:03}", f"fox {i} " * (9 if i < long else 1)) for i in range(10)]
    _, context = run(tmp_path, [*rows, ("query", "blank", " ")], max_tokens=8)
    assert (context.facts["truncated_texts"], context.facts["truncated_share"]) == (long, long / 10)
    assert isinstance(context.reporter, Watcher)
    assert len(context.reporter.notes) == (long > 1)


def test_what_is_not_read_cannot_be_cut(tmp_path: Path) -> None:
    _, context = run(tmp_path, [("query", "blank", " ")])
    assert (context.facts["truncated_texts"], context.facts["truncated_share"]) == (0, None)


@given(st.lists(st.tuples(st.sampled_from(["document", "query"]), st.text(max_size=12)), max_size=8), st.randoms())
@hypothesis_settings(max_examples=20, deadline=None)
def test_any_texts_in_any_order_give_finite_vectors_of_length_one_or_zero(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], shuffler: random.Random
) -> None:
    rows: list[Row] = [(kind, f"{i}", text.replace("\0", "")) for i, (kind, text) in enumerate(pairs)]
    table, _ = run(tmp_path_factory.mktemp("work"), rows)
    matrix = vectors(table)
    assert np.isfinite(matrix).all()
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
    assert (np.isclose(lengths, 1, atol=1e-6) | (lengths == 0)).all()
    shuffler.shuffle(rows)
    assert run(tmp_path_factory.mktemp("work"), rows)[0].equals(table)


def test_blank_texts_get_zeros_and_are_counted(tmp_path: Path) -> None:
    blank = ["", " \n\t", "\u3000", None]
    rows: list[Row] = [("document", f"{i}", text) for i, text in enumerate([*blank, "word"])]
    table, context = run(tmp_path, rows, document_prompt="passage: ")
    assert not vectors(table)[:4].any()
    assert vectors(table)[4].any()
    assert context.facts["texts_blank"] == 3  # "" and null have the same hash here
    assert context.facts["texts_encoded"] == 1


def test_no_texts_give_one_empty_batch_with_the_columns(tmp_path: Path) -> None:
    table, context = run(tmp_path, [])
    assert (len(table), table.schema) == (0, embedding_schema(256))
    assert context.facts["texts_per_second"] is None


def test_one_text_is_encoded_twice_only_when_its_sides_differ(tmp_path: Path) -> None:
    rows: list[Row] = [("document", "d", "heart"), ("query", "q", "heart"), ("query", "r", "heart")]
    same, context = run(tmp_path / "a", rows)
    assert context.facts["texts_encoded"] == 1
    np.testing.assert_array_equal(*vectors(same)[:2])
    other, context = run(tmp_path / "b", rows, query_prompt="query: ")
    assert context.facts["texts_encoded"] == 2
    document, query, again = vectors(other)
    assert np.abs(document - query).max() > 1e-3
    np.testing.assert_array_equal(query, again)
    np.testing.assert_array_equal(document, vectors(same)[0])


def test_dim_and_normalize(tmp_path: Path) -> None:
    whole = vectors(run(tmp_path / "a", ROWS, normalize=False)[0])
    head = vectors(run(tmp_path / "b", ROWS, normalize=False, dim=64)[0])
    np.testing.assert_array_equal(head, whole[:, :64])
    units = vectors(run(tmp_path / "c", ROWS, dim=64)[0])
    np.testing.assert_allclose(units, head / np.linalg.norm(head, axis=1, keepdims=True), atol=1e-6)


def test_previous_vectors_are_taken_over_and_only_new_texts_encoded(tmp_path: Path) -> None:
    marks = np.eye(256, dtype=np.float32)[:3]
    known = [("document", "old", digest("Sort an array in place.")), ("document", "x", digest("gone"))]
    previous = as_table([*known, ("query", "q1", digest("how to sort an array"))], marks)
    table, context = run(tmp_path, ROWS, previous)
    d1, d10, d2, q1 = vectors(table)
    np.testing.assert_array_equal(d1, marks[0])
    np.testing.assert_array_equal(d2, marks[0])
    np.testing.assert_array_equal(q1, marks[2])
    np.testing.assert_array_equal(d10, vectors(run(tmp_path / "alone", ROWS)[0])[1])
    assert (context.facts["texts_reused"], context.facts["texts_encoded"]) == (2, 1)
    reporter = context.reporter
    assert isinstance(reporter, Watcher)
    assert (reporter.totals, reporter.advanced) == ([1], 1)


def test_previous_vectors_of_another_side_or_width_are_not_taken_over(tmp_path: Path) -> None:
    as_query = as_table([("query", "q", digest("heart"))], np.eye(256, dtype=np.float32)[:1])
    rows: list[Row] = [("document", "d", "heart")]
    _, context = run(tmp_path / "a", rows, as_query, query_prompt="query: ")
    assert context.facts["texts_reused"] == 0
    narrow = as_table([("document", "d", digest("heart"))], np.eye(8, dtype=np.float32)[:1])
    _, context = run(tmp_path / "b", rows, narrow)
    assert context.facts["texts_reused"] == 0


def test_a_row_without_text_hash_is_refused(tmp_path: Path) -> None:
    table = texts(ROWS).set_column(3, "text_hash", pa.array([None, "a", "b", "c"], pa.string()))
    with pytest.raises(StageError, match="1 rows have no text_hash"):
        run(tmp_path, table)


def test_a_text_hash_may_be_a_number(tmp_path: Path) -> None:
    table = texts(ROWS).set_column(3, "text_hash", pa.array([2**64 - 1, 2, 3, 4], pa.uint64()))  # as of hash(text)
    first, _ = run(tmp_path / "a", table)
    assert "18446744073709551615" in first["text_hash"].to_pylist()
    again, context = run(tmp_path / "b", table, first)
    assert again.equals(first)
    assert context.facts["texts_encoded"] == 0


KILLED = """
import sys
from pathlib import Path
import pyarrow as pa, pyarrow.ipc
from hnm.context import Context, Settings
from hnm.inputs import Inputs
from hnm.transforms import _vector_parts
from hnm.transforms.embed import EmbedParams, embed
_vector_parts.WRITE_EVERY_SECONDS = 0.0
table = pa.ipc.open_file(sys.argv[1]).read_all()
settings = Settings(device="cpu", cores=1, precision="fp32")
context = Context("embeddings", Path("/"), Path(sys.argv[2]), settings)
list(embed(Inputs.of(texts=table), EmbedParams(model=sys.argv[3], batch_size=2), context))
"""


def test_after_a_kill_the_next_run_goes_on_with_the_vectors_made(tiny_backbone: Path, tmp_path: Path) -> None:
    rows: list[Row] = [("document", f"{i:05}", f"a{i} " * (i % 20 + 1)) for i in range(1_500)]
    with pa.OSFile(str(tmp_path / "texts.arrow"), "wb") as sink, pa.ipc.new_file(sink, texts(rows).schema) as writer:
        writer.write_table(texts(rows))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "texts.arrow"), str(tmp_path), str(tiny_backbone)]
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + 120
        while len(list((tmp_path / "vectors").glob("*.parquet"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    resumed, context = run(tmp_path, rows, model=str(tiny_backbone), batch_size=2)
    assert 0 < context.facts["texts_resumed"] < len(rows)
    assert context.facts["texts_encoded"] == len(rows) - context.facts["texts_resumed"]
    whole, _ = run(tmp_path / "whole", rows, model=str(tiny_backbone), batch_size=2)
    assert resumed["id"].equals(whole["id"])
    np.testing.assert_allclose(vectors(resumed), vectors(whole), atol=1e-5)


def test_parts_that_are_damaged_are_dropped_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vector_parts, "WRITE_EVERY_SECONDS", 0.0)
    rows: list[Row] = [("document", f"{i:03}", f"word {i}") for i in range(100)]
    whole, _ = run(tmp_path, rows, batch_size=5)
    first, second, third, *others = sorted((tmp_path / "vectors").iterdir())
    assert len(others) == 2
    first.write_bytes(first.read_bytes()[:-10])
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 1
    second.write_bytes(content)
    third.write_bytes(b"")
    (tmp_path / "vectors" / "000009.writing").write_bytes(b"half")
    again, context = run(tmp_path, rows, batch_size=5)
    assert again.equals(whole)
    assert (context.facts["texts_resumed"], context.facts["texts_encoded"]) == (40, 60)
    reporter = context.reporter
    assert isinstance(reporter, Watcher)
    assert len(reporter.notes) == 4


def test_parts_of_another_width_are_not_reused(tmp_path: Path) -> None:
    run(tmp_path, ROWS, dim=64)
    table, context = run(tmp_path, ROWS)
    assert context.facts["texts_resumed"] == 0
    assert vectors(table).shape == (4, 256)


def test_a_work_folder_may_have_any_name(tmp_path: Path) -> None:
    workdir = tmp_path / "it's [a]*b?"
    first, _ = run(workdir, ROWS)
    assert run(workdir, ROWS)[0].equals(first)


def test_what_enters_the_fingerprint(tiny_backbone: Path) -> None:
    assert embed.identity is not None
    assert embed.files is not None
    params = EmbedParams(model=STATIC)
    assert embed.identity(params)["package"] == "wordllama"
    assert embed.files(params, Path("/")) == []
    local = EmbedParams(model=tiny_backbone.name)
    assert tiny_backbone / "model.safetensors" in embed.files(local, tiny_backbone.parent)


def test_an_unknown_model_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        run(tmp_path, ROWS, model="./no-such-folder")
    with pytest.raises(ValidationError):
        EmbedParams(model="")


def test_nothing_is_written_to_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, ROWS)
    assert capfd.readouterr() == ("", "")


def test_vectors_that_take_more_than_the_memory_limit_are_put_in_order_within_it(tmp_path: Path) -> None:
    ids = [f"{number:05}" for number in range(80_000)]
    hashes = [digest(text_id) for text_id in ids]
    table = pa.table({"kind": ["document"] * len(ids), "id": ids, "text": ids, "text_hash": hashes})
    known = np.arange(len(ids), dtype=np.float32).repeat(256).reshape(-1, 256)  # 82 MB
    order = np.random.default_rng(0).permutation(len(ids))
    context = Context("embeddings", Path("/"), tmp_path, FP32, Watcher())
    with _vector_parts.VectorParts(tmp_path / "vectors", 256, context).writer() as writer:
        for some in np.array_split(order, 40):
            writer.add([hashes[row] for row in some], 0, known[some])
    connection = duckdb.connect(":memory:", config={"memory_limit": "60MB", "temp_directory": str(tmp_path / "spill")})
    made = pa.Table.from_batches(
        list(embed(Inputs(connection, (), {"texts": table}), EmbedParams(model=STATIC), context))
    )
    assert made["id"].to_pylist() == ids
    np.testing.assert_array_equal(vectors(made), known)

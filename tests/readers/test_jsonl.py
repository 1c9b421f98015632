"""JSON lines, and with them all that readers share: validation, duplicates, bad rows, batches."""

import gzip
import json
import re
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hnm.context import Advance, Context, SilentReporter
from hnm.errors import SourceError
from hnm.inputs import Inputs
from hnm.readers import _read
from hnm.readers._options import MappedParams
from hnm.readers.jsonl import jsonl

GOOD = {"doc_id": "good", "text": "fine"}
STRING = pa.string()


def write(path: Path, *rows: Any) -> None:
    """One line per row; bytes are written as they are."""
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def test_a_corpus_keeps_its_schema_and_collects_other_fields_in_metadata(read, tmp_path):
    row = {"doc_id": 7, "title": "T", "text": "Grüße 🙂", "url": "u", "metadata": {"b": 1, "a": [None]}}
    write(tmp_path / "docs.jsonl", row)
    table, context = read(jsonl, table="corpus", path="docs.jsonl")
    assert table.schema == pa.schema([(name, STRING) for name in ("doc_id", "title", "text", "metadata")])
    assert table.to_pylist() == [
        {"doc_id": "7", "title": "T", "text": "Grüße 🙂", "metadata": '{"a": [null], "b": 1, "url": "u"}'}
    ]
    assert context.bad_rows == []


def test_columns_are_mapped_and_an_unmapped_name_goes_to_metadata(read, tmp_path):
    write(tmp_path / "docs.jsonl", {"id": "d", "body": "the text", "text": "a note", "metadata": "plain"})
    table, _ = read(jsonl, table="corpus", path="docs.jsonl", columns={"doc_id": "id", "text": "body"})
    (row,) = table.to_pylist()
    assert (row["doc_id"], row["title"], row["text"]) == ("d", "", "the text")
    assert json.loads(row["metadata"]) == {"text": "a note", "metadata": "plain"}


def test_an_unknown_target_of_the_mapping_is_refused_with_the_nearest_name():
    with pytest.raises(ValidationError, match="no column 'doc_ids'; did you mean 'doc_id'"):
        MappedParams(table="corpus", path="x", columns={"doc_ids": "id"})


@pytest.mark.parametrize("columns", [{"doc_id": "idd"}, {"doc_id": "id", "title": "headline"}])
def test_a_missing_column_is_named_with_what_the_file_has(read, tmp_path, columns):
    write(tmp_path / "docs.jsonl", {"id": "d", "text": "t"})
    with pytest.raises(SourceError, match=r"no column '(idd|headline)'") as error:
        read(jsonl, table="corpus", path="docs.jsonl", columns=columns)
    assert "the file has: id, text" in str(error.value)


def test_a_name_with_half_a_character_can_be_shown(read, tmp_path):
    write(tmp_path / "docs.jsonl", b'{"doc_id": "a", "te\\ud800xt": "t"}')
    with pytest.raises(SourceError, match="no column 'text'") as error:
        read(jsonl, table="corpus", path="docs.jsonl")
    assert str(error.value).encode()


def test_a_required_field_that_no_line_has_is_refused_long_before_the_end(read, tmp_path):
    write(tmp_path / "docs.jsonl", *[{"id": str(number), "text": "t"} for number in range(1_500)])
    context = Context(stage="corpus", root=tmp_path, workdir=tmp_path)
    with pytest.raises(SourceError, match="no column 'doc_id'"):
        list(jsonl(Inputs.of(), MappedParams(table="corpus", path="docs.jsonl"), context))
    assert len(context.bad_rows) == 1_000


def test_an_optional_field_may_be_absent_from_most_objects(read, tmp_path):
    write(
        tmp_path / "q.jsonl",
        *[{"query_id": n, "text": "t"} for n in range(1_500)],
        {"query_id": "x", "text": "t", "part": "dev"},
    )
    table, _ = read(jsonl, table="queries", path="q.jsonl", columns={"split": "part"})
    assert table.num_rows == 1_501
    assert table["split"].null_count == 1_500


def test_windows_ends_a_byte_order_mark_blank_lines_and_gzip(read, tmp_path):
    content = b'\xef\xbb\xbf{"doc_id": "a", "text": "1"}\r\n\r\n   \n{"doc_id": "b", "text": "2"}'
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(content))
    plain, _ = read(jsonl, table="corpus", path="a.jsonl")
    zipped, _ = read(jsonl, table="corpus", path="b.jsonl.gz")
    assert plain["doc_id"].to_pylist() == ["a", "b"]
    assert plain["text"].to_pylist() == ["1", "2"]
    assert plain.equals(zipped)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"doc_id": "x", "text": "t"', "broken JSON: .* at column 28"),
        (b'["x"]', "not a JSON object"),
        (b'{"text": "t"}', "doc_id is missing"),
        (b'{"doc_id": null, "text": "t"}', "doc_id is missing"),
        (b'{"doc_id": "", "text": "t"}', "doc_id is missing"),
        (b'{"doc_id": " ", "text": "t"}', "doc_id is blank"),
        (b'{"doc_id": 1.5, "text": "t"}', "doc_id is of type float"),
        (b'{"doc_id": true, "text": "t"}', "doc_id is of type bool"),
        (b'{"doc_id": "x", "text": "a\\u0000b"}', "text holds a NUL byte"),
        (b'{"doc_id": "x\\u0000", "text": "t"}', "doc_id holds a NUL byte"),
        (b'{"doc_id": "x", "text": "t", "metadata": {"k": ["\\u0000"]}}', "metadata holds a NUL byte"),
        (b'{"doc_id": "x", "text": "a\x00b"}', "broken JSON"),
        (b'{"doc_id": "x", "text": "\xff"}', "not valid UTF-8"),
        (b'{"doc_id": "x", "text": "\\ud800"}', "text is not valid Unicode"),
        (b'{"doc_id": "x", "text": "t", "url": "\\udc80"}', "metadata is not valid Unicode"),
        (b'{"doc_id": "x", "text": ["t"]}', "text is of type list, not a string"),
        (b'{"doc_id": "x", "text": " ", "title": "\\n"}', "document with neither title nor text"),
        (b'{"doc_id": "x", "text": "t", "n": NaN}', "NaN is not JSON"),
        (b'{"doc_id": "x", "text": "t", "n": 1e999}', "metadata cannot be written as JSON"),
        (b"[" * 100_000, "broken JSON"),
        (b'{"doc_id": "x", "text": "t", "n": ' + b"9" * 5_000 + b"}", "broken JSON"),
        (b'{"doc_id": "good", "text": "again"}', "doc_id 'good' was read before, at .*docs.jsonl:1"),
    ],
)
def test_a_bad_document_is_refused_or_set_aside_with_its_line(read, tmp_path, line, reason):
    write(tmp_path / "docs.jsonl", GOOD, line, {"doc_id": "last", "text": "fine"})
    with pytest.raises(SourceError, match="1 of 3 rows cannot be used") as error:
        read(jsonl, table="corpus", path="docs.jsonl")
    assert error.value.where.line == 2

    table, context = read(jsonl, table="corpus", path="docs.jsonl", on_bad_rows="quarantine")
    assert table["doc_id"].to_pylist() == ["good", "last"]
    (bad,) = context.bad_rows
    assert bad.where.line == 2
    assert re.search(reason, bad.reason)
    assert "\0" not in bad.excerpt
    assert bad.excerpt.encode()[:1] == line[:1]


def test_an_escaped_backslash_before_u0000_is_no_nul(read, tmp_path):
    write(tmp_path / "docs.jsonl", GOOD | {"path": "C:\\u0000"})
    table, _ = read(jsonl, table="corpus", path="docs.jsonl")
    assert json.loads(table["metadata"][0].as_py()) == {"path": "C:\\u0000"}


def test_every_row_bad_is_an_error_even_under_quarantine(read, tmp_path):
    write(tmp_path / "docs.jsonl", b"{", b"{")
    with pytest.raises(SourceError, match="2 of 2 rows"):
        read(jsonl, table="corpus", path="docs.jsonl", on_bad_rows="quarantine")


@pytest.mark.parametrize("text", [None, "", "  \n", 3])
def test_a_query_needs_text(read, tmp_path, text):
    write(tmp_path / "q.jsonl", {"query_id": "a", "text": "fine"}, {"query_id": "b", "text": text})
    table, context = read(jsonl, table="queries", path="q.jsonl", on_bad_rows="quarantine")
    assert table.to_pylist() == [{"query_id": "a", "text": "fine", "split": None}]
    assert context.bad_rows[0].reason == ("text is of type int, not a string" if text == 3 else "query without text")


@pytest.mark.parametrize("table", ["corpus", "queries", "judgments"])
@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_source_is_an_error_with_a_hint(read, tmp_path, table, content):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(SourceError, match=f"{table} is empty") as error:
        read(jsonl, table=table, path="x.jsonl")
    assert error.value.hint


def test_an_empty_impression_log_is_an_empty_table(read, tmp_path):
    (tmp_path / "x.jsonl").touch()
    table, _ = read(jsonl, table="impressions", path="x.jsonl")
    assert table.num_rows == 0
    assert table.schema == pa.schema(
        [
            ("session_id", STRING),
            ("query_id", STRING),
            ("doc_id", STRING),
            ("position", pa.int32()),
            ("clicked", pa.bool_()),
            ("dwell_seconds", pa.float32()),
            ("shown_at", pa.timestamp("us")),
            ("ranker", STRING),
        ]
    )


def test_judgments_default_to_grade_1_and_repetitions_are_dropped(read, tmp_path):
    pair = {"query_id": "q", "doc_id": "d"}
    write(tmp_path / "j.jsonl", pair, pair, pair | {"grade": 1.0}, {"query_id": "q", "doc_id": 2, "grade": -1})
    table, context = read(jsonl, table="judgments", path="j.jsonl")
    assert [tuple(row.values()) for row in table.to_pylist()] == [("q", "d", 1, None), ("q", "2", -1, None)]
    assert table.schema.field("grade").type == pa.int32()
    assert context.facts == {"repeated_rows": 2}


def test_that_a_grade_is_taken_for_1_is_told(tmp_path):
    notes = []

    class Told(SilentReporter):
        def note(self, message: str) -> None:
            notes.append(message)

    write(tmp_path / "j.jsonl", {"query_id": "q", "doc_id": "a", "relevance": 0}, {"query_id": "q", "doc_id": "b"})
    context = Context(stage="judgments", root=tmp_path, workdir=tmp_path, reporter=Told())
    list(jsonl(Inputs.of(), MappedParams(table="judgments", path="j.jsonl"), context))
    assert notes == ["judgments: 2 rows have no column 'grade': it is 1 there"]


@pytest.mark.parametrize("other", [{"grade": 2}, {"split": "dev"}])
def test_a_contradicting_judgment_is_bad_however_often_it_is_repeated(read, tmp_path, other):
    pair = {"query_id": "q", "doc_id": "d"}
    write(tmp_path / "j.jsonl", pair, pair | other, pair | other)
    table, context = read(jsonl, table="judgments", path="j.jsonl", on_bad_rows="quarantine")
    assert table.num_rows == 1
    assert [bad.where.line for bad in context.bad_rows] == [2, 3]
    assert "was read before with another grade or split, at" in context.bad_rows[0].reason
    assert "j.jsonl:1" in context.bad_rows[0].reason


@pytest.mark.parametrize("grade", [1.5, "high", "1_0", "", None, True, 2**31, "9" * 400, "nan"])
def test_a_grade_is_an_integer(read, tmp_path, grade):
    write(tmp_path / "j.jsonl", {"query_id": "q", "doc_id": "a"}, {"query_id": "q", "doc_id": "b", "grade": grade})
    _, context = read(jsonl, table="judgments", path="j.jsonl", on_bad_rows="quarantine")
    assert [bad.where.line for bad in context.bad_rows] == [2]
    assert context.bad_rows[0].reason.startswith("grade ")


def impression(**changes: Any) -> dict[str, Any]:
    return {"session_id": "s", "query_id": "q", "doc_id": "d", "position": 1, "clicked": True} | changes


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"clicked": 0}, {"clicked": False}),
        ({"clicked": "1"}, {"clicked": True}),
        ({"clicked": "1.0"}, {"clicked": True}),
        ({"clicked": "False"}, {"clicked": False}),
        ({"position": "3"}, {"position": 3}),
        ({"dwell_seconds": None}, {"dwell_seconds": None}),
        ({"dwell_seconds": "2.5"}, {"dwell_seconds": 2.5}),
        ({"dwell_seconds": ".5"}, {"dwell_seconds": 0.5}),
        ({"shown_at": "2024-05-06T07:08:09Z"}, {"shown_at": datetime(2024, 5, 6, 7, 8, 9)}),
        ({"shown_at": "2024-05-06 07:08:09+02:00"}, {"shown_at": datetime(2024, 5, 6, 5, 8, 9)}),
        ({"shown_at": "20240506"}, {"shown_at": datetime(2024, 5, 6)}),
        ({"shown_at": 20240506}, {"shown_at": datetime(2024, 5, 6)}),
        ({"shown_at": 86_400.5}, {"shown_at": datetime(1970, 1, 2, 0, 0, 0, 500_000)}),
        ({"shown_at": "1700000000"}, {"shown_at": datetime(2023, 11, 14, 22, 13, 20)}),
        ({"ranker": ""}, {"ranker": None}),
    ],
)
def test_impressions_accept_common_notations(read, tmp_path, given, expected):
    write(tmp_path / "i.jsonl", impression(**given))
    (row,) = read(jsonl, table="impressions", path="i.jsonl")[0].to_pylist()
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    "change",
    [
        {"position": 0},
        {"position": 1.5},
        {"position": None},
        {"clicked": 2},
        {"clicked": "maybe"},
        {"clicked": None},
        {"dwell_seconds": -1},
        {"dwell_seconds": "long"},
        {"shown_at": "yesterday"},
        {"shown_at": 1_700_000_000_000},
        {"shown_at": "0001-01-01T00:00:00+14:00"},
        {"session_id": ["secret-session"]},
        {"query_id": ""},
    ],
)
def test_a_bad_impression_is_set_aside_without_its_session(read, tmp_path, change):
    others = {"session": "secret-session", "mail": "secret@example.org"}
    write(tmp_path / "i.jsonl", impression(), impression(session_id="secret-session", **others) | change)
    table, context = read(jsonl, table="impressions", path="i.jsonl", on_bad_rows="quarantine")
    assert table.num_rows == 1
    (bad,) = context.bad_rows
    (name,) = change
    assert bad.reason.startswith(name)
    assert "secret" not in bad.reason + bad.excerpt


def test_a_broken_line_of_a_log_is_not_shown(read, tmp_path):
    write(tmp_path / "i.jsonl", impression(), b'{"session_id": "secret-session", ')
    _, context = read(jsonl, table="impressions", path="i.jsonl", on_bad_rows="quarantine")
    assert "secret" not in context.bad_rows[0].reason + context.bad_rows[0].excerpt


def test_session_ids_leave_as_salted_hashes(read, tmp_path):
    write(
        tmp_path / "i.jsonl", impression(session_id="alice"), impression(session_id="alice"), impression(session_id=5)
    )
    table, _ = read(jsonl, table="impressions", path="i.jsonl", session_salt="pepper")
    alice, again, five = table["session_id"].to_pylist()
    assert alice == again == sha256(b"pepperalice").hexdigest()[:32]
    assert five == sha256(b"pepper5").hexdigest()[:32]
    unsalted, _ = read(jsonl, table="impressions", path="i.jsonl")
    assert unsalted["session_id"][0].as_py() != alice


def test_a_document_of_5_megabytes_and_batches_bounded_by_text(read, tmp_path, monkeypatch):
    big = "wort " * (1024 * 1024)
    write(tmp_path / "docs.jsonl", *[{"doc_id": number, "text": big} for number in range(5)])
    context = Context(stage="corpus", root=tmp_path, workdir=tmp_path)
    batches = list(jsonl(Inputs.of(), MappedParams(table="corpus", path="docs.jsonl"), context))
    assert [batch.num_rows for batch in batches] == [4, 1]
    assert batches[1]["text"][0].as_py() == big


def test_batches_bounded_by_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(_read, "BATCH_ROWS", 2)
    write(tmp_path / "docs.jsonl", *[{"doc_id": number, "text": "t"} for number in range(5)])
    context = Context(stage="corpus", root=tmp_path, workdir=tmp_path)
    batches = list(jsonl(Inputs.of(), MappedParams(table="corpus", path="docs.jsonl"), context))
    assert [batch.num_rows for batch in batches] == [2, 2, 1]


def test_progress_adds_up_to_the_bytes_of_the_files(tmp_path):
    class Meter:
        """A reporter that adds up what it is told."""

        def __init__(self) -> None:
            self.total, self.advanced = 0, 0

        def progress(self, description: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
            self.total = total or 0
            return nullcontext(self.advance)

        def advance(self, count: int) -> None:
            self.advanced += count

        def note(self, message: str) -> None:
            raise AssertionError(message)

    rows = [{"doc_id": number, "text": "t" * 100} for number in range(3_000)]
    write(tmp_path / "a.jsonl", *rows)
    meter = Meter()
    context = Context(stage="corpus", root=tmp_path, workdir=tmp_path, reporter=meter)
    list(jsonl(Inputs.of(), MappedParams(table="corpus", path="*.jsonl"), context))
    assert meter.advanced == meter.total == (tmp_path / "a.jsonl").stat().st_size


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_are_read_or_refused_but_never_crash(tmp_path, lines):
    path = tmp_path / "fuzz.jsonl"
    write(path, GOOD, *lines)
    context = Context(stage="corpus", root=tmp_path, workdir=tmp_path)
    params = MappedParams(table="corpus", path="fuzz.jsonl", on_bad_rows="quarantine")
    (batch,) = jsonl(Inputs.of(), params, context)
    filled = sum(1 for line in b"\n".join(lines).split(b"\n") if line.strip())
    assert batch.num_rows == 1
    assert len(context.bad_rows) == filled

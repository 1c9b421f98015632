"""CSV files; what all readers share is tested with JSON lines."""

import csv as oracle
import gzip
import io
import json

import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hnm.context import Context
from hnm.errors import SourceError
from hnm.inputs import Inputs
from hnm.readers.csv import CsvParams, csv


def test_a_corpus_with_mapping_and_metadata(read, tmp_path):
    (tmp_path / "docs.csv").write_text("id, body ,lang\n1,hello,en\n2,,de\n", encoding="utf-8-sig")
    options = {"table": "corpus", "path": "docs.csv", "columns": {"doc_id": "id", "text": "body", "title": "lang"}}
    table, _ = read(csv, **options)
    assert [tuple(row.values()) for row in table.to_pylist()] == [("1", "en", "hello", "{}"), ("2", "de", "", "{}")]
    options["columns"] = {"doc_id": "id", "text": "body"}
    table, context = read(csv, **options, on_bad_rows="quarantine")
    assert json.loads(table["metadata"][0].as_py()) == {"lang": "en"}
    assert [(bad.where.line, bad.reason) for bad in context.bad_rows] == [(3, "document with neither title nor text")]


def test_metadata_given_as_json_text(read, tmp_path):
    (tmp_path / "docs.csv").write_text('doc_id,text,metadata\n1,a,"{""url"": ""u""}"\n2,b,\n3,c,{oops\n')
    table, _ = read(csv, table="corpus", path="docs.csv")
    expected = ['{"url": "u"}', "{}", '{"metadata": "{oops"}']
    assert table["metadata"].to_pylist() == expected


def test_lines_are_counted_through_line_breaks_in_quotes_and_blank_lines(read, tmp_path):
    content = 'query_id,text\r\nq1,"two\r\nlines"\r\n\r\nq2, \r\nq3,fine\r\n'
    (tmp_path / "q.csv").write_bytes(content.encode())
    table, context = read(csv, table="queries", path="q.csv", on_bad_rows="quarantine")
    assert table["text"].to_pylist() == ["two\r\nlines", "fine"]
    assert [(bad.where.line, bad.reason) for bad in context.bad_rows] == [(5, "query without text")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"q9", "has 1 fields, where the header has 2"),
        (b"q9,a,b", "has 3 fields, where the header has 2"),
        (b'q9,"a"b', "broken CSV"),
        (b"q9,a\rb", "broken CSV"),
        (b"q9,\xff", "text is not valid Unicode"),
        (b"q9,a\x00b", "text holds a NUL byte"),
        (b",a", "query_id is missing"),
        (b"q1,again", "query_id 'q1' was read before, at"),
    ],
)
def test_bad_rows(read, tmp_path, line, reason):
    (tmp_path / "q.csv").write_bytes(b"query_id,text\nq1,one\n" + line + b"\nq2,two\n")
    table, context = read(csv, table="queries", path="q.csv", on_bad_rows="quarantine")
    assert table["query_id"].to_pylist() == ["q1", "q2"]
    (bad,) = context.bad_rows
    assert bad.where.line == 3
    assert bad.reason.startswith(reason)
    assert bad.excerpt.strip()
    assert "\0" not in bad.excerpt


@pytest.mark.parametrize(
    ("content", "ids", "bad"),
    [
        (
            'q1,one\nq2,"two\nq3,three\n',
            ["q1", "q3"],
            [(3, "broken CSV: a quote opens in this line")],
        ),
        ('q1,"one\nq2,two\nq3,"three"\nq4,"four"\n', ["q2", "q3", "q4"], [(2, "broken CSV: ',' expected after")]),
        (
            'q1,"one\nq2,two\nq3,"three\nq4,four\n',
            ["q2", "q4"],
            [(2, "broken CSV: ','"), (4, "broken CSV: a")],
        ),
        ('q1,"a\nb"\nq2,"two\nq3,x\r\ny\n', ["q1", "q3"], [(4, "broken CSV: a quote"), (6, "has 1 fields")]),
    ],
)
def test_a_stray_quote_costs_its_own_line(read, tmp_path, content, ids, bad):
    (tmp_path / "q.csv").write_bytes(b"query_id,text\n" + content.encode())
    table, context = read(csv, table="queries", path="q.csv", on_bad_rows="quarantine")
    assert table["query_id"].to_pylist() == ids
    assert [one.where.line for one in context.bad_rows] == [line for line, _ in bad]
    assert all(one.reason.startswith(reason) for one, (_, reason) in zip(context.bad_rows, bad, strict=True))


def test_a_stray_quote_names_the_line_where_its_harm_shows(read, tmp_path):
    (tmp_path / "q.csv").write_text('query_id,text\nq1,"one\nq2,two\nq3,"three"\n')
    _, context = read(csv, table="queries", path="q.csv", on_bad_rows="quarantine")
    reason = context.bad_rows[0].reason
    assert reason.startswith("""broken CSV: ',' expected after '"', in line 4: a quote opens in this one""")
    assert reason.endswith("""needs `options: {quote: ""}`)""")


def test_tabs_without_quoting_and_gzip(read, tmp_path):
    (tmp_path / "q.tsv.gz").write_bytes(gzip.compress(b'query_id\ttext\nq1\tsay "hi\nq2\t5\'2"\n'))
    table, _ = read(csv, table="queries", path="q.tsv.gz", delimiter="\t", quote="")
    assert table["text"].to_pylist() == ['say "hi', "5'2\""]


def test_impressions(read, tmp_path):
    (tmp_path / "log.csv").write_text(
        "sid,query_id,doc_id,position,clicked,dwell_seconds\n8,1,2,1,true,\n8,1,3,2,0,4.5\n"
    )
    table, _ = read(csv, table="impressions", path="log.csv", columns={"session_id": "sid"})
    rows = table.drop_columns(["session_id"]).to_pylist()
    common = {"query_id": "1", "shown_at": None, "ranker": None}
    assert rows == [
        common | {"doc_id": "2", "position": 1, "clicked": True, "dwell_seconds": None},
        common | {"doc_id": "3", "position": 2, "clicked": False, "dwell_seconds": 4.5},
    ]
    assert len(table["session_id"].unique()) == 1
    assert len(table["session_id"][0].as_py()) == 32


def test_a_log_without_a_header_is_not_shown(read, tmp_path):
    (tmp_path / "log.csv").write_text("secret-session,q1,d1,1,true\n")
    with pytest.raises(SourceError, match="the first line names no column") as error:
        read(csv, table="impressions", path="log.csv")
    assert "secret" not in str(error.value)
    (tmp_path / "log.csv").write_text("secret-session;q1;d1;1;true\n")
    with pytest.raises(SourceError, match="the header has one column") as error:
        read(csv, table="impressions", path="log.csv")
    assert "secret" not in str(error.value)


def test_an_empty_grade_is_bad_where_the_column_exists(read, tmp_path):
    (tmp_path / "j.csv").write_text("query_id,doc_id,grade,split\nq,a,2,\nq,b,,dev\n")
    table, context = read(csv, table="judgments", path="j.csv", on_bad_rows="quarantine")
    assert table.to_pylist() == [{"query_id": "q", "doc_id": "a", "grade": 2, "split": None}]
    assert context.bad_rows[0].reason == "grade is missing"


@pytest.mark.parametrize("content", ["", "\n\n", "query_id,text\n"])
def test_empty_files(read, tmp_path, content):
    (tmp_path / "q.csv").write_text(content)
    with pytest.raises(SourceError, match="queries is empty"):
        read(csv, table="queries", path="q.csv")


@pytest.mark.parametrize(
    ("header", "message"),
    [("id,text", "no column 'query_id'"), ("query_id,text,text", "two columns are called 'text'")],
)
def test_headers_that_do_not_serve(read, tmp_path, header, message):
    (tmp_path / "q.csv").write_text(f"{header}\n1,2,3\n")
    with pytest.raises(SourceError, match=message) as error:
        read(csv, table="queries", path="q.csv", on_bad_rows="quarantine")
    assert error.value.where.line == 1
    assert error.value.hint


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("query_id,text\n1,x\n".encode("utf-16"), "UTF-16"),
        ("query_id,text\n1,x\n".encode("utf-16-le"), "UTF-16"),
        (gzip.compress("query_id,text\n1,x\n".encode("utf-16-be")), "UTF-16"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"\x28\xb5\x2f\xfd\x04", "Zstandard"),
        ("query_id,text,größe\n1,x,\n".encode("latin-1"), "the header is not valid Unicode (UTF-8)"),
    ],
    ids=["utf-16", "without a mark", "gzipped", "parquet", "zstandard", "latin-1"],
)
def test_files_that_are_no_utf8_are_told_apart(read, tmp_path, content, why):
    (tmp_path / "q.csv").write_bytes(content)
    with pytest.raises(SourceError) as error:
        read(csv, table="queries", path="q.csv", on_bad_rows="quarantine")
    assert why in str(error.value)
    assert error.value.hint
    assert str(error.value).encode()


@pytest.mark.parametrize("begin", ["PAR1", "PK", "BZh"])
def test_words_with_which_other_files_begin_are_words(read, tmp_path, begin):
    (tmp_path / "q.tsv").write_text(f"{begin}\ttext\nq\tt\n")
    table, _ = read(csv, table="queries", path="q.tsv", delimiter="\t", columns={"query_id": begin})
    assert table["query_id"].to_pylist() == ["q"]


@pytest.mark.parametrize("signs", [{"quote": ","}, {"delimiter": "\n"}])
def test_signs_that_cannot_serve(signs):
    with pytest.raises(ValidationError, match="must be two signs"):
        CsvParams(table="queries", path="q.csv", **signs)


def test_a_field_of_5_megabytes(read, tmp_path):
    big = "x" * (5 * 2**20)
    (tmp_path / "docs.csv").write_text(f"doc_id,text\n1,{big}\n")
    table, _ = read(csv, table="corpus", path="docs.csv")
    assert table["text"][0].as_py() == big


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_another_delimiter_is_told_and_helps(read, tmp_path, sign):
    (tmp_path / "q.csv").write_text(f"query_id{sign}text\n1{sign}x\n")
    with pytest.raises(SourceError, match="the header has one column") as error:
        read(csv, table="queries", path="q.csv")
    (delimiter,) = yaml.safe_load(error.value.hint.split("`")[1]).values()
    assert delimiter == sign
    read(csv, table="queries", path="q.csv", delimiter=delimiter)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(words.filter(str.strip), min_size=1, max_size=6))
def test_what_the_standard_writer_writes_is_read_back(tmp_path, texts):
    buffer = io.StringIO(newline="")
    writer = oracle.writer(buffer, quoting=oracle.QUOTE_ALL)
    writer.writerow(["query_id", "text"])
    writer.writerows(enumerate(texts))
    (tmp_path / "q.csv").write_bytes(buffer.getvalue().encode())
    context = Context(stage="queries", root=tmp_path, workdir=tmp_path)
    table = pa.Table.from_batches(list(csv(Inputs.of(), CsvParams(table="queries", path="q.csv"), context)))
    assert table["text"].to_pylist() == texts

"""TREC documents, topics, qrels and runs."""

import gzip

import ir_measures
import pyarrow as pa
import pytest
from pydantic import ValidationError

from hnm.errors import SourceError
from hnm.readers.trec import TrecParams, trec

TOPICS = """
<top>

<num> Number: 301
<title> International Organized Crime

<desc> Description:
Identify organizations.

<narr> Narrative:
A relevant document names one.
</top>

<top>
<num> Number: 302 </num>
<title> Topic: Poliomyelitis
and R&amp;D &lt; 5 </title>
</top>
"""

NEWS = """<DOC>
<DOCNO> FT911-3 </DOCNO>
<HEADLINE>
FT  14 MAY 91 / A headline
</HEADLINE>
<TEXT>
Prices  rose &amp; fell.<P>A second
paragraph, 3 < 4.</P>
</TEXT>
<PUB>The Financial Times</PUB>
</DOC>

<doc>
<docno>FT911-4</docno>
<text>one</text>
<text> two</text>
</doc>
"""

WEB = """<DOC>
<DOCNO>GX000-00</DOCNO>
<DOCHDR>
http://example.org text/html 200
</DOCHDR>
<html><head><title>A &quot;page&quot;</title><script>var x = "<b>";</script></head>
<body><h1>Big</h1><p>bo<b>ld</b> word</p><style>p {}</style></body></html>
</DOC>
"""


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.replace("\n", "\r\n").encode())])
def test_classic_topics(read, tmp_path, pack):
    (tmp_path / "topics").write_bytes(pack(TOPICS))
    table, _ = read(trec, table="queries", path="topics", split="test")
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("301", "International Organized Crime", "test"),
        ("302", "Poliomyelitis and R&D < 5", "test"),
    ]


def test_tab_separated_topics(read, tmp_path):
    (tmp_path / "topics.tsv").write_text("\ufeff1\tfirst\tquery\n\n2\tsecond\nno tab\n3\t \n1\tagain\n")
    table, context = read(trec, table="queries", path="topics.tsv", on_bad_rows="quarantine")
    assert [tuple(row.values()) for row in table.to_pylist()] == [("1", "first\tquery", None), ("2", "second", None)]
    assert [(bad.where.line, bad.reason.split(",")[0]) for bad in context.bad_rows] == [
        (4, "has no tab between id and text"),
        (5, "query without text"),
        (6, "query_id '1' was read before"),
    ]


def test_bad_topics(read, tmp_path):
    parts = [
        "<top>\n<title> no number\n</top>",
        "<top>\n<num> 5\n</top>",
        "<top>\n<num> 6\n<title> never closed",
        TOPICS,
    ]
    (tmp_path / "topics").write_text("\n".join(parts))
    table, context = read(trec, table="queries", path="topics", on_bad_rows="quarantine")
    assert table["query_id"].to_pylist() == ["301", "302"]
    assert [(bad.where.line, bad.reason) for bad in context.bad_rows] == [
        (1, "topic without <num>"),
        (4, "query without text"),
        (7, "<top> is never closed"),
    ]


def test_news_and_web_documents(read, tmp_path):
    (tmp_path / "news.sgml").write_text(NEWS)
    (tmp_path / "web.gz").write_bytes(gzip.compress(WEB.encode()))
    news, _ = read(trec, table="corpus", path="news.sgml")
    assert [tuple(row.values()) for row in news.to_pylist()] == [
        ("FT911-3", "FT 14 MAY 91 / A headline", "Prices rose & fell. A second paragraph, 3 < 4.", "{}"),
        ("FT911-4", "", "one two", "{}"),
    ]
    web, _ = read(trec, table="corpus", path="web.gz")
    assert [tuple(row.values()) for row in web.to_pylist()] == [("GX000-00", 'A "page"', "Big bold word", "{}")]


def test_documents_on_one_line_and_around_wrappers(read, tmp_path):
    body = "<DOC><DOCNO>1</DOCNO><TEXT>a</TEXT></DOC><DOC><DOCNO>2</DOCNO><TEXT>b</TEXT></DOC>"
    (tmp_path / "docs").write_text(f"<?xml version='1.0'?>\n<collection>\n{body}\n</collection>\n")
    table, _ = read(trec, table="corpus", path="docs")
    assert table["doc_id"].to_pylist() == ["1", "2"]
    assert table["text"].to_pylist() == ["a", "b"]


def test_bad_documents(read, tmp_path):
    parts = [
        b"stray text",
        b"<DOC>\n<DOCNO>1</DOCNO>\n<TEXT>\xff</TEXT>\n</DOC>",
        b"<DOC>\n<TEXT>no id</TEXT>\n</DOC>",
        b"<DOC>\n<DOCNO>2</DOCNO><TEXT></TEXT>\n</DOC>",
        b"<DOC>\n<DOCNO>3</DOCNO>\n<TEXT>open",
        b"<DOC>\n<DOCNO>4</DOCNO><TEXT>a\0b</TEXT></DOC>",
        b"<DOC>\n<DOCNO>5</DOCNO><TEXT>fine</TEXT></DOC>",
        b"<DOC>\n<DOCNO>5</DOCNO><TEXT>again</TEXT></DOC>",
        b"<DOC>",
    ]
    (tmp_path / "docs").write_bytes(b"\n".join(parts))
    table, context = read(trec, table="corpus", path="docs", on_bad_rows="quarantine")
    assert table["doc_id"].to_pylist() == ["5"]
    assert [(bad.where.line, bad.reason.split(", at")[0]) for bad in context.bad_rows] == [
        (1, "text outside of <DOC>"),
        (2, "not valid UTF-8"),
        (6, "doc_id is missing"),
        (9, "document with neither title nor text"),
        (12, "<DOC> is never closed"),
        (15, "text holds a NUL byte"),
        (19, "doc_id '5' was read before"),
        (21, "<DOC> is never closed"),
    ]


def test_qrels_agree_with_ir_measures(read, tmp_path):
    path = tmp_path / "qrels.txt"
    path.write_text("1 0 d1 2\r\n1 0 d2 0\n\n2\tQ0\td1\t-1\n")
    table, _ = read(trec, table="judgments", path="qrels.txt", split="dev")
    expected = [(q.query_id, q.doc_id, q.relevance, "dev") for q in ir_measures.read_trec_qrels(str(path))]
    assert [tuple(row.values()) for row in table.to_pylist()] == expected


def test_a_run_agrees_with_ir_measures(read, tmp_path):
    path = tmp_path / "bm25.run"
    path.write_text("1 Q0 d1 1 12.5 bm25\n1 Q0 d2 2 1e1 bm25\n2 Q0 d1 1 -3 bm25\n")
    table, _ = read(trec, table="run", path="*.run")
    expected = [(row.query_id, row.doc_id, row.score) for row in ir_measures.read_trec_run(str(path))]
    assert [(row["query_id"], row["doc_id"], row["score"]) for row in table.to_pylist()] == expected
    assert table["rank"].to_pylist() == [1, 2, 1]
    assert set(table["retriever"].to_pylist()) == {"bm25"}
    strings = [(name, pa.string()) for name in ("query_id", "doc_id", "retriever")]
    assert table.schema == pa.schema([*strings, ("rank", pa.int32()), ("score", pa.float32())])


def test_ranks_from_zero_are_raised_in_a_run_that_begins_so(read, tmp_path):
    (tmp_path / "zero.run").write_text("1 Q0 d1 0 2 t\n1 Q0 d2 1 1 t\n")
    assert read(trec, table="run", path="zero.run")[0]["rank"].to_pylist() == [1, 2]
    (tmp_path / "one.run").write_text("1 Q0 d1 1 2 t\n1 Q0 d2 0 1 t\n")
    with pytest.raises(SourceError, match="rank 0 is below 1"):
        read(trec, table="run", path="one.run")


@pytest.mark.parametrize(
    ("table", "good", "bad", "reason"),
    [
        ("judgments", "1 0 d1 1", "1 0 d2", "has 3 fields, not 4"),
        ("judgments", "1 0 d1 1", "1 0 d2 high", "grade 'high' is not a number"),
        ("judgments", "1 0 d1 1", "1 0 d1 2", "query_id '1', doc_id 'd1' was read before with another grade"),
        ("run", "1 Q0 d1 1 2 t", "1 Q0 d2 2 nan t", "score 'nan' is not a number"),
        ("run", "1 Q0 d1 1 2 t", "1 Q0 d2 x 1 t", "'x' is not a number"),
        ("run", "1 Q0 d1 1 2 t", "1 Q0 d2 2 1", "has 5 fields, not 6"),
        ("run", "1 Q0 d1 1 2 t", "1 Q0 d1 2 1 t", "query_id '1', doc_id 'd1', retriever 't' was read before, at"),
    ],
)
def test_bad_lines(read, tmp_path, table, good, bad, reason):
    (tmp_path / "file").write_text(f"{good}\n{bad}\n")
    result, context = read(trec, table=table, path="file", on_bad_rows="quarantine")
    assert result.num_rows == 1
    assert [row.where.line for row in context.bad_rows] == [2]
    assert context.bad_rows[0].reason.startswith(reason)


@pytest.mark.parametrize("table", ["corpus", "queries", "judgments"])
def test_empty_files(read, tmp_path, table):
    (tmp_path / "file").write_text("\n")
    with pytest.raises(SourceError, match=f"{table} is empty"):
        read(trec, table=table, path="file")


def test_the_format_has_no_impressions():
    with pytest.raises(ValidationError):
        TrecParams(table="impressions", path="x")

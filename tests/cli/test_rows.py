"""Rows as a table, CSV, JSON lines and Parquet, on stdout and in files."""

import csv
import io
import json
import os
import subprocess

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_project import HNM, TinyProject, environment

from hnm.cli.console import stdout
from hnm.cli.rows import Format, write_rows
from hnm.errors import QueryError

SQL = """
    select 1 as n, 'a "quoted", text' as t, [1, 2] as list, {'a': 'ü'} as pair, null as nothing,
        date '2024-01-31' as day
    union all select 2, 'two' || chr(10) || 'lines', [], null, null, null
"""
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def reader(sql):
    return duckdb.connect().sql(sql).to_arrow_reader(2)


def table_reader(table):
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches())


@pytest.fixture
def written(tmp_path):
    """`written(rows, format)`: the bytes of the file."""

    def write(rows, form):
        write_rows(rows, form, tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        return (tmp_path / "out").read_bytes()

    return write


def test_csv(written):
    rows = list(csv.reader(io.StringIO(written(reader(SQL), Format.csv).decode(), newline="")))
    assert rows == [
        ["n", "t", "list", "pair", "nothing", "day"],
        ["1", 'a "quoted", text', "[1, 2]", '{"a": "ü"}', "", "2024-01-31"],
        ["2", "two\nlines", "[]", "", "", ""],
    ]


def test_json_is_one_object_a_line(written):
    lines = written(reader(SQL), Format.json).decode().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"n": 1, "t": 'a "quoted", text', "list": [1, 2], "pair": {"a": "ü"}, "nothing": None, "day": "2024-01-31"},
        {"n": 2, "t": "two\nlines", "list": [], "pair": None, "nothing": None, "day": None},
    ]
    assert "ü" in lines[0]


def test_a_map_is_an_object(written, capsys):
    sql = "select map {'paper': 0.5::double, 'random': 0.25::double} as losses, 1 as step"
    assert json.loads(written(reader(sql), Format.json)) == {"losses": {"paper": 0.5, "random": 0.25}, "step": 1}
    assert '"{""paper"": 0.5, ""random"": 0.25}"' in written(reader(sql), Format.csv).decode()
    write_rows(reader(sql), Format.table, None)
    assert "paper: 0.5, random: 0.25" in capsys.readouterr().out


def test_json_has_no_words_that_json_does_not_know(written):
    text = written(
        reader("select 'nan'::double as a, 'inf'::float as b, ['nan'::double] as c, {'d': 'nan'::double} as e"),
        Format.json,
    )

    def refuse(word):
        raise AssertionError(word)

    assert json.loads(text, parse_constant=refuse) == {"a": None, "b": None, "c": [None], "e": {"d": None}}


def test_parquet_keeps_types(written, tmp_path):
    written(reader(SQL), Format.parquet)
    found = pq.read_table(tmp_path / "out")
    assert found.to_pylist() == reader(SQL).read_all().to_pylist()
    assert found.schema.field("day").type == pa.date32()


def test_intervals_are_text_that_duckdb_reads_and_other_types_are_refused(written, tmp_path):
    texts = ["1 day 02:03:04.5", "-01:00:00", "14 months -2 days", "00:00:00", None]
    listed = ", ".join("null" if text is None else f"'{text}'" for text in texts)
    rows = f"select unnest([{listed}])::interval as span"  # the same texts, there and back
    written(reader(rows), Format.parquet)
    assert pq.read_table(tmp_path / "out")["span"].to_pylist() == texts
    assert [json.loads(line)["span"] for line in written(reader(rows), Format.json).splitlines()] == texts
    with pytest.raises(QueryError, match="Parquet has no type") as refused:
        written(reader("select [interval 1 day] as spans"), Format.parquet)
    assert "::varchar" in refused.value.hint


@pytest.mark.parametrize("form", [Format.csv, Format.json, Format.parquet])
def test_no_rows_at_all(written, tmp_path, form):
    text = written(reader("select 1 as a where false"), form)
    assert {Format.csv: text == b"a\n", Format.json: text == b"", Format.parquet: text[:4] == b"PAR1"}[form]


@given(columns=st.lists(st.lists(TEXTS, min_size=3, max_size=3), min_size=1, max_size=3))
@example(columns=[[None, "\r", "a\r\nb"]])
@settings(deadline=None, max_examples=50)
def test_csv_and_json_give_texts_back(tmp_path_factory, columns):
    table = pa.table({f"c{index}": pa.array(values, pa.string()) for index, values in enumerate(columns)})
    folder = tmp_path_factory.mktemp("rows")
    write_rows(table_reader(table), Format.json, folder / "a")
    assert [
        json.loads(line) for line in (folder / "a").read_text(encoding="utf-8").split("\n")[:-1]
    ] == table.to_pylist()
    write_rows(table_reader(table), Format.csv, folder / "b")
    with (folder / "b").open(encoding="utf-8", newline="") as file:
        back = list(csv.reader(file))[1:]
    assert back == [["" if value is None else value for value in row.values()] for row in table.to_pylist()]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "out").write_text("old")

    def batches():
        yield pa.RecordBatch.from_pydict({"a": [1]})
        raise QueryError("stop")

    rows = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), batches())
    with pytest.raises(QueryError, match="stop"):
        write_rows(rows, Format.csv, tmp_path / "out")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"out": "old"}


def test_links_and_pipes_are_not_replaced(tmp_path):
    (tmp_path / "link").symlink_to("target")
    write_rows(reader("select 1 as a"), Format.csv, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "a\n1\n"
    os.mkfifo(tmp_path / "pipe")
    end = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_rows(reader("select 1 as a"), Format.csv, tmp_path / "pipe")
    assert os.read(end, 99) == b"a\n1\n"
    os.close(end)
    assert (tmp_path / "pipe").is_fifo()


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(QueryError, match="cannot write"):
        write_rows(reader("select 1 as a"), Format.csv, tmp_path / "no" / "folder" / "out")
    with pytest.raises(QueryError, match="a table is for the screen"):
        write_rows(reader("select 1 as a"), Format.table, tmp_path / "out")


def shown(capsys, sql, limit=0):
    write_rows(reader(sql), Format.table, None, limit)
    return capsys.readouterr()


def test_a_table_for_people(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = shown(
        capsys, "select 'x' as name, 0.123456789::double as score, null as nothing, repeat('long ', 100) as text"
    ).out
    assert "0.1235" in out
    assert "—" in out
    assert "…" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_table_ends_at_the_limit_and_says_so(capsys):
    found = shown(capsys, "select range as n from range(100)", limit=3)
    assert "2" in found.out
    assert "99" not in found.out
    assert "--limit 0" in found.err
    assert shown(capsys, "select range as n from range(3)", limit=3).err == ""


def test_markup_in_values_is_text(capsys):
    assert "[bold]x[/nothing]" in shown(capsys, "select '[bold]x[/nothing]' as \"[red]name[/red]\"").out


def test_one_wide_row_goes_downwards(capsys):
    out = shown(capsys, "select " + ", ".join(f"{n} as column_{n}" for n in range(12))).out
    assert len([line for line in out.splitlines() if "column_" in line]) == 12


WIDE = """
    select
        'positive_to_negative' as kind, 'q-' || range as query_id, 'a-document-with-a-long-id-' || range as positive_id,
        null::varchar as negative_before, 'another-document-with-a-long-id-' || range as negative_after,
        'random' as strategy_before, 'paper' as strategy_after
    from range(3)
"""


def lines_at(columns, sql, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    stdout.cache_clear()
    write_rows(reader(sql), Format.table, None)
    stdout.cache_clear()
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= columns
    return lines


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_names_and_ids_are_whole_at_any_width(columns, capsys, monkeypatch):
    out = "\n".join(lines_at(columns, WIDE, capsys, monkeypatch))
    for words in ("positive_to_negative", "another-document-with-a-long-id-2", "q-0"):
        assert words in out
    for name in ("negative_before", "strategy_after"):
        assert name in out.split() or set(name.replace("_", "_ ").split()) <= set(out.split())


def test_rows_that_do_not_fit_side_by_side_go_downwards(capsys, monkeypatch):
    lines = lines_at(80, WIDE, capsys, monkeypatch)
    assert lines[:8] == [
        "kind             positive_to_negative",
        "query_id         q-0",
        "positive_id      a-document-with-a-long-id-0",
        "negative_before  —",
        "negative_after   another-document-with-a-long-id-0",
        "strategy_before  random",
        "strategy_after   paper",
        "",
    ]


def test_names_of_columns_break_where_their_words_end(capsys, monkeypatch):
    sql = "select " + ", ".join(f"{n} as the_longest_name_{n}_of_all" for n in range(7))
    assert lines_at(240, sql, capsys, monkeypatch)[1].count("the_longest_name_0_of_all") == 1
    lines = lines_at(80, sql, capsys, monkeypatch)
    assert lines[1].split() == ["the_"] * 7
    assert len(lines) == 10


def test_a_long_text_beside_short_columns_stays_a_table(capsys, monkeypatch):
    sql = "select 'q1' as query_id, repeat('word ', 20) as text from range(3)"
    assert lines_at(50, sql, capsys, monkeypatch)[1].split() == ["query_id", "text"]


def test_no_rows_at_all_are_told(capsys, monkeypatch):
    for columns, first in ((200, ["kind", "query_id"]), (40, [])):
        monkeypatch.setenv("COLUMNS", str(columns))
        stdout.cache_clear()
        found = shown(capsys, f"{WIDE} limit 0")
        assert (found.out.split()[: len(first)], found.err) == (first, "no rows\n")
    stdout.cache_clear()


def test_no_digits_that_mean_nothing(written, capsys):
    sql = "select 0.1::double + 0.2::double as sum, 0.2::float as single, [0.2::float, 0.1::float] as singles"
    write_rows(reader(sql), Format.table, None)
    shown = capsys.readouterr().out.split()
    assert shown[-4:] == ["0.3", "0.2", "[0.2,", "0.1]"]
    assert written(reader(sql), Format.csv).decode().splitlines()[1].startswith("0.30000000000000004,0.2,")


# The command.


@pytest.fixture(scope="module")
def fixed(_built_once):
    return TinyProject(_built_once)


def test_a_query_from_standard_input_as_json(fixed):
    run = fixed.hnm("query", "-", "--format", "json", text="select doc_id, vector from vectors where doc_id = 'd3'\n")
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout) == {"doc_id": "d3", "vector": [5.0, 1.0]}


def test_columns_of_the_same_name_are_all_there(fixed):
    run = fixed.hnm("query", "select 1 as a, 2 as a", "--format", "json")
    assert json.loads(run.stdout) == {"a": 1, "a_1": 2}


def test_parquet_into_a_pipe_and_a_file(fixed, tmp_path):
    sql = "select * from documents order by doc_id"
    run = subprocess.run(
        [HNM, "query", sql, "--format", "parquet"], cwd=fixed.root, env=environment(), capture_output=True, check=True
    )
    assert pq.read_table(io.BytesIO(run.stdout)).num_rows == 4
    assert fixed.hnm("query", sql, "--format", "parquet", "--output", str(tmp_path / "d.parquet")).stdout == ""
    assert pq.read_table(tmp_path / "d.parquet").num_rows == 4

"""`hnm stats`: the tables of the warehouse, side by side. What the numbers must be is in tests/sql."""

import csv
import io
import json
from shutil import copytree

import pytest
from mined_project import command, shared
from tiny_project import TinyProject

from hnm.errors import QueryError, SelectorError
from hnm.negative_statistics import STATISTICS, quantile, statistic, statistics, worst_queries


@pytest.fixture(scope="module")
def mined(tmp_path_factory):
    return shared(tmp_path_factory)


@pytest.fixture
def stats(mined, capsys, monkeypatch):
    with command("stats", mined, capsys, monkeypatch) as call:
        yield call


def lines_of(out):
    return [line.split() for line in out.splitlines()]


# For people


def test_strategies_stand_side_by_side_in_the_order_in_which_they_are_tried(stats):
    code, out, err = stats()
    assert (code, err) == (0, "")
    lines = lines_of(out)
    for line in (
        ["statistic", "wanted", "paper", "top", "random"],
        ["negatives", "higher:", "more", "2", "0", "2"],
        ["margin", "lower:", "harder", "-0.200", "—", "0.600"],
        ["label_conflicts", "lower:", "must", "be", "0", "0", "0", "0"],
        ["hardness", "paper", *["1.333"] * 5],
        ["slack_1", "paper", "0.230", "0.350", "0.500", "0.650", "0.770"],
        ["considered", "8", "100.0%", "8", "100.0%"],
        ["filled_by_earlier_strategy", "—", "6", "75.0%"],
        ["kept", "2", "25.0%", "0", "0.0%"],
        ["random", "minilm", "0.0%", "100.0%"],
        ["minilm", "0.500", "—", "0.500", "0.0%"],
    ):
        assert line in lines


def test_the_rules_are_in_order_and_kept_comes_last(stats):
    _, out, _ = stats("--strategy", "paper")
    first = [line[0] for line in lines_of(out) if line]
    start = first.index("considered")
    assert first[start : start + 6] == [
        "considered", "known_positive", "not_closer_to_query_than_positive", "not_closer_to_query_than_to_positive",
        "beyond_per_positive", "kept",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", [80, 100, 120, 200])
def test_no_line_is_longer_than_the_terminal_is_wide(stats, columns):
    _, out, _ = stats(columns=columns)
    assert max(map(len, out.splitlines())) <= columns


def test_strategies_that_do_not_fit_continue_in_a_further_table(stats):
    narrow = stats(columns=60)[1]
    assert narrow.count("Negatives by strategy") == 2
    assert narrow.count("What became of the candidates") == 3
    wide = stats(columns=140)[1]
    assert wide.count("Negatives by strategy") == wide.count("What became of the candidates") == 1
    assert "positives among their own query's negatives" in wide


def test_only_some_strategies(stats):
    _, out, _ = stats("--strategy", "random", "--strategy", "paper")
    assert ["statistic", "wanted", "paper", "random"] in lines_of(out)
    assert "top" not in out


def test_colour_is_for_terminals(mined):
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    assert "\x1b[1m" in mined.hnm("stats", env=forced).stdout
    assert "\x1b[3" not in mined.hnm("stats", env={**forced, "NO_COLOR": "1"}).stdout
    assert "\x1b" not in mined.hnm("stats").stdout


# For programs


def test_json_has_the_rows_of_the_tables(mined, stats):
    code, out, err = stats("--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert list(found) == ["strategies", "quality", "funnel", "ranks", "overlap"]
    assert found["strategies"] == [row["strategy"] for row in found["quality"]] == ["paper", "top", "random"]
    project = mined.load()
    for name, table in (("funnel", "exclusion_funnel"), ("ranks", "negative_ranks"), ("overlap", "retriever_overlap")):
        rows = project.query(f"select * from {table}").to_pylist()
        assert sorted(map(str, found[name])) == sorted(map(str, rows))
    assert json.loads(stats("--json", "--strategy", "top")[1])["ranks"] == []


def test_csv_has_one_statistic_a_row(stats, tmp_path):
    code, out, _ = stats("--format", "csv")
    assert code == 0
    rows = {row["statistic"]: row for row in csv.DictReader(io.StringIO(out))}
    assert list(rows["margin"]) == ["statistic", "wanted", "paper", "top", "random"]
    assert (rows["margin"]["wanted"], rows["margin"]["top"]) == ("lower", "")
    assert float(rows["slack_2_p50"]["paper"]) == pytest.approx(0.5)
    assert stats("--format", "csv", "--output", str(tmp_path / "out.csv"))[:2] == (0, "")
    assert (tmp_path / "out.csv").read_bytes().decode() == out


# Query by query


def test_the_worst_queries_by_a_measure(mined):
    project = mined.load()
    assert worst_queries(project, "negatives", ["paper"], 10).to_pylist() == [
        {"query_id": "lonely", "strategy": "paper", "split": "dev", "negatives": 0, "text": "nothing else"},
        {"query_id": "q", "strategy": "paper", "split": "train", "negatives": 2, "text": "query five"},
    ]
    hardness = worst_queries(project, "hardness", (), 10).to_pylist()
    assert [(row["query_id"], row["strategy"]) for row in hardness] == [("q", "random"), ("q", "paper")]
    margin = worst_queries(project, "margin", (), 1).to_pylist()
    assert [(row["strategy"], row["margin"]) for row in margin] == [("random", pytest.approx(0.6))]


def test_the_worst_queries_on_the_screen_and_as_csv_and_json(stats):
    code, out, _ = stats("--by-query", "negatives", "--strategy", "paper", "--limit", "1")
    assert code == 0
    assert ["lonely", "paper", "dev", "0", "nothing", "else"] in lines_of(out)
    assert "query five" not in out
    as_csv = stats("--by-query", "diversity", "--format", "csv")[1]
    assert as_csv.splitlines()[0] == "query_id,strategy,split,diversity,text"
    as_json = json.loads(stats("--by-query", "diversity", "--json")[1])
    assert [row["query_id"] for row in as_json] == ["q"]


# What cannot be


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--strategy", "papr"], 1, "did you mean 'paper'?"),
        (["--by-query", "hardnes"], 1, "did you mean 'hardness'?"),
        (["--by-query", "strategy"], 1, "there is no measure 'strategy'"),
        (["--by-query", "margin", "--strategy", "papr"], 1, "did you mean 'paper'?"),
        (["--by-query", 'margin" desc --'], 1, "there is no measure"),
        (["--format", "parquet", "--output", "/nowhere/at/all"], 1, "cannot write"),
        (["--format", "xml"], 2, "xml"),
        (["--output", "table.txt"], 1, "a table is for the screen"),
    ],
    ids=str,
)
def test_exit_codes(stats, arguments, code, words):
    ended, out, err = stats(*arguments)
    assert (ended, out) == (code, "")
    assert words in err
    assert "Traceback" not in err


def test_tables_that_are_not_built(mined, stats, tmp_path):
    part = TinyProject(copytree(mined.root, tmp_path / "part"))
    with part.load().warehouse.database.writing() as connection:
        for name in ("retriever_overlap", "exclusion_funnel"):
            connection.execute(f"drop table {name}")
    code, out, err = stats(root=part.root)
    assert code == 0
    assert "Negatives by strategy" in out
    assert "What became" not in out
    assert "not built yet: exclusion_funnel, retriever_overlap; `hnm run --select" in err
    with part.load().warehouse.database.writing() as connection:
        connection.execute("drop table negative_quality")
        connection.execute("drop table negative_quality_by_query")
    with pytest.raises(QueryError, match="negative_quality is not built") as caught:
        statistics(part.load())
    assert caught.value.hint == "`hnm run --select +negative_quality` builds it"
    with pytest.raises(QueryError, match="negative_quality_by_query is not built"):
        worst_queries(part.load(), "margin", (), 1)


# How to read a statistic


def test_every_statistic_of_the_default_pipeline_is_explained(mined):
    columns = mined.load().state()["negative_quality"].columns
    measures = {quantile(name)[0] for name in columns} - {"strategy"}
    assert sorted(measures) == sorted(STATISTICS)


def test_quantiles_are_read_as_what_they_are_quantiles_of():
    assert quantile("slack_1_p05") == ("slack_1", 5)
    assert quantile("judged_positive_rate") == ("judged_positive_rate", None)
    assert statistic("margin_p95") == statistic("margin")
    assert statistic("one_of_your_own").wanted is None


def test_unknown_strategies_are_errors(mined):
    with pytest.raises(SelectorError, match="there is no strategy 'xyz'") as caught:
        statistics(mined.load(), ["xyz"])
    assert caught.value.hint == "there are paper, random, top"

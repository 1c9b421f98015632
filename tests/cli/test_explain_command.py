"""`hnm explain`: what it prints in 80 and 120 columns, its JSON, exit codes, and texts that would like to be markup."""

import json

import pytest
from mined_project import command, shared

from hnm.cli.columns import shortened
from hnm.cli.console import stdout
from hnm.cli.explain_view import print_story
from hnm.explained import Candidate, Document, Place, Positive, Story

ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def mined(tmp_path_factory):
    return shared(tmp_path_factory)


@pytest.fixture
def explain(mined, capsys, monkeypatch):
    with command("explain", mined, capsys, monkeypatch) as call:
        yield call


# For people


def test_the_story_of_a_query(explain):
    code, out, err = explain("q")
    assert (code, err) == (0, "")
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[:2] == ["q  train", "query five"]
    for line in (
        "note: nothing is mined for 1 of the 3 positives: positives_per_query is 2",
        "Positive 1  p",
        "  weight 0.6 · clicks:by hand · judged 2",
        "  clicks 7 · clicked sessions 5 · lower bound 0.6",
        "  found by bm25 1 (9)",
        "  5 candidates, d(Q,PD) 0.400",
        "  a                                          2       1   0.200    0.040  0.0325",
        "  paper  rule dual_criterion, per_positive 1",
        "          4 considered",
        "         -1 not_closer_to_query_than_to_positive",
        "          1 kept",
        "          1 b",
        "            d(Q,D) 0.200 < d(Q,PD) 0.400; d(Q,D) 0.200 < d(PD,D) 1.000; number 1",
        "Positive 2  p2",
        "Triplets  4: paper 2 · random 2",
    ):
        assert line in lines


def test_the_evaluation_of_a_query(explain):
    _, out, _ = explain("t")
    lines = [line.split() for line in out.splitlines()]
    assert ["bm25", "another"] in lines
    assert ["c", ">", "3", ">", "3"] in lines
    assert ["p", "3", "1"] in lines
    assert ["RR@10", "0.333", "1"] in lines


@pytest.mark.parametrize("columns", [40, 80, 100, 120, 200])
@pytest.mark.parametrize("query_id", ["q", "t", "tried", "m[red]"])
def test_no_line_is_longer_than_the_terminal_is_wide(explain, columns, query_id):
    code, out, _ = explain(query_id, "--all", columns=columns)
    assert code == 0
    assert max(map(len, out.splitlines())) <= columns


def test_a_wider_terminal_shows_more_and_the_same_numbers(explain):
    narrow, wide = (explain("q", columns=columns)[1] for columns in (80, 120))
    for number in ("0.200", "0.040", "0.0325", "0.75", "2 of 2"):
        assert number in narrow
        assert number in wide
    assert len(wide.splitlines()) <= len(narrow.splitlines())


def test_all_shows_every_candidate_with_its_outcome(explain):
    _, out, _ = explain("q", "--all", "--strategy", "paper", "--positive", "p")
    lines = [line.split() for line in out.splitlines()]
    for outcome in (
        ["0.200", "not_closer_to_query_than_to_positive", "a"],
        ["0.200", "kept", "as", "1", "b"],
        ["0.400", "known_positive", "p"],
        ["0.720", "not_closer_to_query_than_positive", "c"],
    ):
        assert outcome in lines
    assert "p2" not in out
    assert "random" not in out


def test_the_limit(explain):
    _, out, _ = explain("q", "--limit", "1", "--positive", "p")
    assert "5 candidates, d(Q,PD) 0.400; the 1 nearest to the query:" in out
    assert "query⏎next line" not in out


# Texts


def test_markup_and_control_characters_of_texts_are_shown_as_text(explain):
    for arguments in (["q"], ["m[red]"], ["q", "--all"]):
        _, out, _ = explain(*arguments, columns=120)
        assert "[bold]not bold[/bold] [/]" in out
        assert "[31mnot red" in out
        assert ESCAPE not in out
    assert "m[red]  train" in explain("m[red]")[1]


def test_markup_in_errors(explain):
    code, out, err = explain("m[red")
    assert (code, out) == (1, "")
    assert "there is no query 'm[red'" in err
    assert "did you mean m[red]?" in err


def test_no_color_is_honoured_even_where_colour_is_forced(mined):
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    coloured = mined.hnm("explain", "q", env=forced).stdout
    assert f"{ESCAPE}[3" in coloured
    plain = mined.hnm("explain", "q", env={**forced, "NO_COLOR": "1"}).stdout
    assert f"{ESCAPE}[3" not in plain
    assert ESCAPE not in mined.hnm("explain", "q", env={"TERM": "xterm-256color"}).stdout  # into a pipe


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("short", 12, "short"),
        ("torch.nn.functional.relu", 16, "torch.n…nal.relu"),
        ("words are cut at the end", 16, "words are cut a…"),
        ("漢字漢字漢字漢字漢字漢字", 12, "漢字 …字漢字"),
        ("torch.nn", 4, "tor…"),
    ],
)
def test_ids_are_cut_in_the_middle_and_words_at_the_end(text, width, shown):
    from rich.text import Text

    line = shortened(Text(text, "green"), width)
    assert line.plain == shown
    assert line.cell_len <= width


def test_many_retrievers_positives_and_answers_leave_out_what_does_not_fit(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    stdout.cache_clear()
    retrievers = tuple(f"retriever_{number}" for number in range(12))
    document = Document("d" * 100, "text " * 40, None, {name: Place(1, 12345.678) for name in retrievers})
    candidate = Candidate(document, 0.1, 0.2, 0.3, 0.9, 0.01, 12, 0.5, {}, ())
    positives = tuple(Positive(document, rank, 1.0, "judgments", {}, 0.2, 1, (candidate,), ()) for rank in range(1, 13))
    story = Story("q", "text", "train", retrievers, positives, (), (document,) * 12, (), ())
    print_story(story, everything=False)
    out = capsys.readouterr().out
    stdout.cache_clear()
    assert max(map(len, out.splitlines())) <= 80
    assert "too wide for this terminal, but in --json: retriever_3, retriever_4" in out.replace("\n", "")
    assert "and 2 more positives: --all shows them" in out
    print_story(story, everything=True)
    assert "Positive 12" in capsys.readouterr().out


# For programs


def keys(value, path=""):
    """Every path of a JSON document, list items as []."""
    if isinstance(value, dict) and value:
        return {found for name, inner in value.items() for found in keys(inner, f"{path}.{name}")}
    if isinstance(value, list) and value:
        return {found for inner in value for found in keys(inner, f"{path}[]")}
    return {path}


DOCUMENT = {"doc_id", "excerpt", "grade", "found"}
DISTANCES = {"d_query_doc", "d_query_positive", "d_positive_doc", "fused_score"}


def test_the_json_has_these_keys_and_no_others(explain):
    code, out, err = explain("q", "--json", "--all")
    assert (code, err) == (0, "")
    story = json.loads(out)
    assert story.keys() == {
        "query_id", "text", "split", "retrievers", "positives", "triplets", "answers", "systems", "notes",
    }  # fmt: skip
    positive = story["positives"][0]
    assert positive.keys() == {
        "document", "positive_rank", "weight", "origin", "evidence", "d_query_positive", "pool", "candidates",
        "strategies",
    }  # fmt: skip
    assert positive["document"].keys() == DOCUMENT
    assert positive["document"]["found"]["bm25"].keys() == {"rank", "score"}
    candidate = positive["candidates"][0]
    assert candidate.keys() == DISTANCES | {"document", "rrf", "agreement", "lexical_overlap", "fusions", "outcomes"}
    assert candidate["outcomes"][0].keys() == {"strategy", "exclusion_reason", "exclusion_step", "selected_rank"}
    paper = positive["strategies"][0]
    assert paper.keys() == {"strategy", "settings", "considered", "removed", "kept"}
    assert paper["removed"][0].keys() == {"step", "reason", "rows"}
    assert paper["kept"][0].keys() == DISTANCES | {"document", "selected_rank", "why"}
    assert story["triplets"][0].keys() == {"positive_id", "negative_id", "strategy", "selected_rank", "weight"}
    system = json.loads(explain("t", "--json")[1])["systems"][0]
    assert system.keys() == {"name", "is_first_stage", "documents", "places", "measures"}


def test_the_json_of_a_query_with_nothing_has_the_same_keys(explain):
    whole, empty = (json.loads(explain(query_id, "--json")[1]) for query_id in ("q", "unseen"))
    assert empty.keys() == whole.keys()
    assert (empty["positives"], empty["triplets"], empty["systems"]) == ([], [], [])
    assert len(empty["notes"]) == 1


def test_json_takes_the_same_options(explain):
    story = json.loads(explain("q", "--json", "--limit", "2", "--strategy", "top", "--positive", "p2")[1])
    (positive,) = story["positives"]
    assert positive["document"]["doc_id"] == "p2"
    assert len(positive["candidates"]) == 2
    assert [mining["strategy"] for mining in positive["strategies"]] == ["top"]


# Finding the query, and exit codes


def test_a_query_by_its_text(explain):
    assert explain("--text", "five query") == explain("q")
    code, out, err = explain("--text", "clicked")
    assert code == 0
    assert [line.rstrip() for line in out.splitlines()] == [
        "tried  train", "  clicked once", "ignored  train", "  never clicked",
    ]  # fmt: skip
    assert "2 queries hold these words" in err
    found = json.loads(explain("--text", "clicked", "--json")[1])
    assert found["matches"][0] == {"query_id": "tried", "split": "train", "text": "clicked once"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["lonelyy"], 1, "did you mean lonely?"),
        (["--text", "no such words"], 1, "no query holds all the words"),
        (["q", "--strategy", "papr"], 1, "did you mean 'paper'?"),
        (["q", "--positive", "b"], 1, "'b' is not a positive of the query"),
        ([], 2, "name a query by its id"),
        (["q", "--text", "five"], 2, "name a query by its id"),
        (["q", "--limit", "-1"], 2, "--limit"),
    ],
    ids=str,
)
def test_exit_codes(explain, arguments, code, words):
    ended, out, err = explain(*arguments)
    assert (ended, out) == (code, "")
    assert words in err
    assert "Traceback" not in err


def test_a_project_without_a_warehouse_says_what_to_run(mined, tmp_path):
    from shutil import copytree, ignore_patterns

    from tiny_project import TinyProject

    bare = TinyProject(copytree(mined.root, tmp_path / "bare", ignore=ignore_patterns("data", "target")))
    for arguments in (["explain", "q"], ["stats"]):
        ended = bare.hnm(*arguments)
        assert ended.returncode == 1
        assert "hnm run" in ended.stderr
        assert "Traceback" not in ended.stderr

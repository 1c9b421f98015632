"""The real command: data on stdout and all else on stderr, exit codes, plain text for pipes, quick help."""

import ast
import json
import os
import subprocess
import sys

import pytest
from tiny_project import HNM, TinyProject, environment
from typer.testing import CliRunner

from hnm.cli.app import app
from hnm.cli.main import _run

ESCAPE = "\x1b"
COMMANDS = [command.name for command in app.registered_commands]


@pytest.fixture(scope="module")
def fixed(_built_once):
    """A built project that the tests here only read."""
    return TinyProject(_built_once)


# Help and version.


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_shows_an_example(name):
    result = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"Example: hnm {name}" in result.output


LOADED = (
    "import sys; from hnm.cli.main import _run; code = _run(); "
    "heavy = {'torch', 'lance', 'transformers', 'sentence_transformers', 'sklearn', 'networkx', 'duckdb', 'numpy', "
    "'pyarrow', 'jinja2'} & set(sys.modules); print(sorted(heavy)); sys.exit(code)"
)


def loaded(*arguments, folder=None):
    """The heavy modules that a command loads: the last line that the process prints."""
    command = [sys.executable, "-c", LOADED, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment())
    assert run.returncode == 0, run.stderr
    *before, last = run.stdout.splitlines()
    assert before
    return ast.literal_eval(last)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], ["run", "--help"], ["query", "--help"]])
def test_help_and_version_load_nothing_heavy(arguments):
    assert loaded(*arguments) == []


def test_a_plan_loads_what_reads_the_state_and_templates_alone(fixed):
    assert set(loaded("plan", "--json", folder=fixed.root)) <= {"duckdb", "jinja2"}


def test_version(fixed):
    import hnm

    run = fixed.hnm("--version")
    assert (run.returncode, run.stdout, run.stderr) == (0, f"hnm {hnm.__version__}\n", "")


# Exit codes: 0 success, 1 a failure that hnm understands, 2 wrong usage or a bug.


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ls"], 0, ""),
        (["plan", "--check"], 0, "6 fresh"),
        (["plan", "--check", "--vars", "least: 5"], 1, "1 to run"),
        (["ls", "--project", "/nowhere"], 1, "not an hnm project"),
        (["ls", "--target", "pord"], 1, "did you mean 'prod'?"),
        (["ls", "--select", "no_such"], 1, "matches nothing"),
        (["ls", "--vars", "[1]"], 1, "--vars is not a YAML mapping"),
        (["ls", "--vars", "a: 2020-13-45"], 1, "--vars"),
        (["plan", "--vars", "1: 2"], 1, "names of vars are text, not 1"),
        (["plan", "--vars", "on: 3"], 1, "not True"),
        (["plan", "--vars", "{null: 3}"], 1, "write the name in quotes"),
        (["plan", "--vars", "{2024-01-01: 2}"], 1, "names of vars are text"),
        (["query", "selec 1"], 1, "syntax error"),
        (["query", ""], 1, "the query is empty"),
        (["query", "select * from vector"], 1, "did you mean 'vectors'?"),
        (["query", "drop table documents"], 1, "read-only"),
        (["query", "select 1", "--format", "xml"], 2, "xml"),
        (["show", "documnts"], 1, "did you mean 'documents'?"),
        (["compile", "word_counts"], 1, "not a SQL stage"),
        (["run", "--no-such-option"], 2, "--no-such-option"),
        (["rnu"], 2, "rnu"),
        (["query"], 2, "sql"),
    ],
    ids=str,
)
def test_exit_codes(fixed, capsys, monkeypatch, arguments, code, words):
    monkeypatch.chdir(fixed.root)
    monkeypatch.setattr(sys, "argv", ["hnm", *arguments])
    assert _run() == code
    out, err = capsys.readouterr()
    assert words.lower() in err.lower()
    assert "Traceback" not in err
    assert not code or not out or arguments[0] == "plan"


def test_the_console_script_hands_the_exit_code_on(fixed):
    assert fixed.hnm("ls").returncode == 0
    assert fixed.hnm("ls", "--select", "no_such").returncode == 1
    assert fixed.hnm("ls", "--no-such-option").returncode == 2


def test_no_command_shows_the_help():
    run = subprocess.run([HNM], capture_output=True, text=True, env=environment())
    assert run.returncode == 2
    assert "Usage" in run.stdout + run.stderr


def test_what_was_not_foreseen_is_a_bug_and_exits_with_2(tiny):
    code = """
import sys
from hnm.api import Project
from hnm.cli.main import main

Project.plan = lambda *_, **__: {}["unforeseen"]
sys.argv = ["hnm", "plan"]
main()
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=tiny.root, env=environment(), capture_output=True, text=True)
    assert run.returncode == 2
    assert "unforeseen" in run.stderr
    assert "bug" in run.stderr


def test_errors_name_what_where_why_and_hint_with_the_place_on_one_line(tiny):
    folder = tiny.root / ("deep" * 20)
    folder.mkdir()
    tiny.edit("pipelines/tiny.yml", "materialized: lance", "materialized: lanse")
    run = tiny.hnm("parse", env={"COLUMNS": "80"})
    assert run.returncode == 1
    lines = run.stderr.splitlines()
    assert lines[0].startswith("error: stages.3.materialized: Input should be 'table', 'lance' or 'model', not 'lanse'")
    assert f"  at: {tiny.root}/pipelines/tiny.yml:16:5" in lines
    assert "  hint: did you mean 'lance'?" in lines


# Data on stdout, and nothing else.


def test_json_of_plan_run_and_ls_parses_with_nothing_else(tiny):
    listed = json.loads(tiny.hnm("ls", "--json").stdout)
    assert [node["name"] for node in listed][:2] == ["shelf.corpus", "documents"]
    planned = tiny.hnm("plan", "--json")
    assert [entry["status"] for entry in json.loads(planned.stdout)] == ["run"] * 6
    run = tiny.hnm("run", "--json")
    found = json.loads(run.stdout)
    assert (run.returncode, run.stderr, found["ok"]) == (0, "", True)
    assert [stage["rows"] for stage in found["stages"]] == [4, 4, 4, 3, 4, 1]
    assert json.loads(tiny.hnm("plan", "--json").stdout)[0] == {
        "stage": "shelf.corpus",
        "kind": "source",
        "status": "fresh",
        "rows": None,
        "reasons": [],
    }


def test_json_of_a_run_that_failed(built):
    built.write("sql/report.sql", "select nope")
    run = built.hnm("run", "--json")
    found = json.loads(run.stdout)
    assert (run.returncode, found["ok"]) == (1, False)
    assert "nope" in found["stages"][-1]["error"]
    assert "nope" in run.stderr


def test_a_run_says_all_on_stderr(built):
    run = built.hnm("run", "--full-refresh")
    assert (run.returncode, run.stdout) == (0, "")
    for name in ("shelf.corpus", "word_counts", "6 built"):
        assert name in run.stderr
    quiet = built.hnm("run", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_ls_is_one_name_a_line(fixed):
    run = fixed.hnm("ls", "--select", "documents+")
    assert run.stdout.split("\n") == ["documents", "word_counts", "long_documents", "vectors", "report", ""]
    assert run.stderr == ""


def test_compile_prints_sql_alone(built):
    run = built.hnm("compile", "long_documents")
    assert run.stdout == 'select doc_id, words from "word_counts" where words >= 2\n\n'
    assert (built.root / "target/compiled/report.sql").is_file()


def test_show_puts_rows_on_stdout_and_facts_on_stderr(fixed):
    run = fixed.hnm("show", "vectors", "--limit", "2")
    assert "doc_id" in run.stdout
    assert run.stdout.count("d") >= 2
    assert "lance" in run.stderr
    assert "word_counts" in run.stderr


def test_vars_and_target_reach_the_project(built):
    plan = json.loads(built.hnm("plan", "--json", "--vars", "{least: 4}").stdout)
    assert {entry["stage"]: entry["reasons"] for entry in plan}["long_documents"] == ["var least 2 -> 4"]
    plan = json.loads(built.hnm("plan", "--json", "--vars", "least: 4", "--vars", "colour: red").stdout)
    assert {entry["stage"]: entry["reasons"] for entry in plan}["long_documents"] == ["var least 2 -> 4"]
    assert [entry["status"] for entry in json.loads(built.hnm("plan", "--json", "-t", "prod").stdout)] == ["run"] * 6


# Plain text for pipes.


@pytest.mark.parametrize(
    "arguments", [["plan"], ["run", "--full-refresh"], ["query", "select * from documents"], ["--help"]]
)
def test_no_escape_codes_in_pipes(built, arguments):
    run = built.hnm(*arguments, env={"TERM": "xterm-256color"})
    assert run.returncode == 0
    assert ESCAPE not in run.stdout + run.stderr


def test_no_color_is_honoured_even_where_colour_is_forced(built):
    run = built.hnm("plan", env={"FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert "\x1b[3" not in run.stdout + run.stderr


LONG = "a_stage_with_a_very_long_name_that_goes_on_and_on_until_it_fills_the_line_completely"


def test_no_line_is_longer_than_the_width_that_is_asked_for(built):
    built.write("pipelines/more.yml", f"stages: [{{name: {LONG}}}]")
    built.write(f"sql/{LONG}.sql", "select * from {{ ref('report') }}, {{ ref('vectors') }}, {{ ref('documents') }}")
    built.edit("project.yml", "{least: 2}", "{least: 3}")
    for arguments in (["plan"], ["run"], ["run"]):
        run = built.hnm(*arguments, env={"COLUMNS": "80"})
        assert run.returncode == 0
        assert max(len(line) for line in (run.stdout + run.stderr).splitlines()) <= 80
    assert f"{LONG[:13]}…" in run.stderr  # both ends of a name are seen


def test_a_reader_that_leaves_early_is_no_failure(fixed):
    shell = f"'{HNM}' query 'select range as n, repeat(range::text, 20) as t from range(300000)' --format csv | head -1"
    run = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", shell], cwd=fixed.root, env=environment(), capture_output=True, text=True
    )
    assert (run.stdout, run.stderr) == ("n,t\n", "")
    assert run.returncode == 0


def test_terminals_get_colour_and_a_run_ends_with_the_cursor_shown(built):
    import pty

    master, slave = pty.openpty()
    run = subprocess.Popen(
        [HNM, "run", "--full-refresh"], cwd=built.root, env=environment({"TERM": "xterm"}), stderr=slave, stdout=slave
    )
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(master)
    assert run.wait() == 0
    assert b"\x1b[" in text
    assert text.rfind(b"\x1b[?25h") >= text.rfind(b"\x1b[?25l")


# hnm clean.


def test_clean_removes_what_can_be_made_again(built):
    run = built.hnm("clean")
    assert run.returncode == 0
    assert not (built.root / "target").exists()
    assert built.load().state()


def test_clean_all_asks_first_and_removes_only_what_hnm_made(built):
    mine = built.write("data/warehouse/notes.txt", "keep me\n")
    refused = built.hnm("clean", "--all", text="n\n")
    assert refused.returncode == 1
    assert built.load().state()
    run = built.hnm("clean", "--all", "--yes")
    assert run.returncode == 0
    assert built.load().state() == {}
    assert mine.read_text() == "keep me\n"
    assert (built.root / "data/corpus.csv").exists()
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]


def test_names_in_brackets_are_shown_as_they_are(built):
    odd = built.root.with_name("odd [bold]name[")
    odd.mkdir()
    place = built.root.rename(odd / "nothing]")
    run = TinyProject(place).hnm("clean")
    assert run.returncode == 0
    assert f"removed {place}/target\n" in run.stderr


def test_a_wrong_choice_is_told_without_the_words_of_the_library(fixed):
    run = fixed.hnm("export", "triplets", "out")
    assert run.returncode == 2
    assert run.stderr.startswith("error: Invalid value for 'form': 'triplets' is not one of 'beir', 'qrels', 'run'.")

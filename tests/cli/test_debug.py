"""`hnm debug`: what is there, what is missing, and the exit code that says so."""

import re

import pytest
from tiny_project import TinyProject


@pytest.fixture(scope="module")
def fixed(_built_once):
    return TinyProject(_built_once)


def test_a_good_set_up(fixed):
    run = fixed.hnm("debug")
    assert run.returncode == 0, run.stdout
    for name in ("python", "hnm", "duckdb", "device", "project", "target", "warehouse", "free disk"):
        assert re.search(rf"^ok +{name} ", run.stdout, re.MULTILINE), name
    assert "6 of 6 built" in run.stdout
    assert "\x1b" not in run.stdout


def test_a_project_that_is_not_as_it_should_be(tiny):
    tiny.edit("pipelines/tiny.yml", "materialized: lance", "materialized: lanse")
    run = tiny.hnm("debug")
    assert run.returncode == 1
    assert re.search(r"^no +project .*not 'lanse'", run.stdout, re.MULTILINE)
    assert "tiny.yml:16:5" in run.stdout


def test_outside_of_any_project(tmp_path):
    project = TinyProject(tmp_path)
    run = project.hnm("debug")
    assert run.returncode == 1
    assert "not an hnm project" in run.stdout
    assert re.search(r"^ok +duckdb ", run.stdout, re.MULTILINE)


def test_a_damaged_warehouse(built):
    (built.root / "data/warehouse/hnm.duckdb").write_bytes(b"x" * 5000)
    run = built.hnm("debug")
    assert run.returncode == 1
    assert "cannot open" in run.stdout
    assert "move it away" in run.stdout


def test_clean_says_that_a_file_stands_where_its_folder_is(tiny):
    tiny.write("target", "mine")
    run = tiny.hnm("clean")
    assert run.returncode == 1
    assert "hint: a file stands where a folder must: move it away" in run.stderr
    assert (tiny.root / "target").read_text() == "mine"

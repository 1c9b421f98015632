"""A kill at every step of a run that changes anything on disk, from nothing and over what is built."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_project import environment

WALK = Path(__file__).with_name("kill_walk.py")


def walked(tiny, tmp_path, every=1):
    """Walk the steps of the project's next run; how many there are. Fails when any kill did harm."""
    prepared = tmp_path / "prepared"
    shutil.copytree(tiny.root, prepared)
    process = subprocess.run(
        [sys.executable, WALK, tiny.root, prepared, str(every)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert found["problems"] == []
    return found["steps"]


@pytest.fixture
def every_kind(tiny):
    """With a stage that is brought up to date by key, one that remembers inputs in Python, and a warning test."""
    tiny.edit(
        "pipelines/tiny.yml",
        "- name: long_documents",
        "- name: long_documents\n    unique_key: doc_id\n"
        "    incremental: {key: doc_id, inputs: {word_counts: doc_id}}\n"
        "    tests: [{row_count: {max: 1, severity: warn}}]",
    )
    return tiny


@pytest.mark.slow
def test_a_kill_at_every_step_of_a_first_run(every_kind, tmp_path):
    assert walked(every_kind, tmp_path) > 40


@pytest.mark.slow
def test_a_kill_at_every_step_of_a_rebuild(every_kind, tmp_path):
    assert every_kind.run().ok
    every_kind.edit("data/corpus.csv", "d2,two,a a\n", "d5,five,a b c d e f\n")
    every_kind.edit("sql/vectors.sql", "[words, 1]", "[words, 2]")
    assert walked(every_kind, tmp_path) > 40


def test_a_kill_at_some_steps(every_kind, tmp_path):
    assert walked(every_kind, tmp_path, every=17) > 40

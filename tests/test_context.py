"""What a transform may ask of the tool, and how bad rows are settled."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from hnm.context import EXCERPT_CHARACTERS, Context
from hnm.errors import Location, SourceError


class Heard:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.advanced: list[int] = []

    @contextmanager
    def progress(self, description, total, unit):
        self.notes.append(f"{description} {total} {unit}")
        yield self.advanced.append

    def note(self, message):
        self.notes.append(message)


@pytest.fixture
def context(tmp_path):
    return Context(stage="corpus", root=tmp_path, workdir=tmp_path / "work")


def bad(context, count):
    for line in range(1, count + 1):
        context.bad_row(Location(Path("docs.csv"), line), f"reason {line}", "x" * 1000)


def test_progress_and_notes_reach_the_reporter(tmp_path):
    heard = Heard()
    context = Context(stage="s", root=tmp_path, workdir=tmp_path, reporter=heard)
    with context.progress("encoding", 10, "texts") as advance:
        advance(3)
        advance(7)
    context.note("done")
    assert (heard.notes, heard.advanced) == (["encoding 10 texts", "done"], [3, 7])


def test_without_a_reporter_nothing_is_shown(context, capsys):
    with context.progress("encoding") as advance:
        advance(1)
    context.note("hello")
    assert capsys.readouterr() == ("", "")


def test_facts_are_kept(context):
    context.record(documents=3)
    context.record(documents=4, dropped=1)
    assert context.facts == {"documents": 4, "dropped": 1}


def test_a_model_is_written_into_the_work_folder(context, tmp_path):
    assert context.model_folder.parent == tmp_path / "work"


@pytest.mark.parametrize("policy", ["refuse", "quarantine"])
def test_good_rows_alone_are_fine(context, policy):
    context.settle_bad_rows(policy, 5)
    context.settle_bad_rows(policy, 0)


def test_bad_rows_are_refused_with_place_count_and_hint(context):
    bad(context, 7)
    with pytest.raises(SourceError) as caught:
        context.settle_bad_rows("refuse", 3)
    error = caught.value
    assert "7 of 10 rows cannot be used" in error.what
    assert "docs.csv:5: reason 5" in error.what
    assert "reason 6" not in error.what
    assert "… and 2 more" in error.what
    assert error.where == Location(Path("docs.csv"), 1)
    assert "quarantine" in str(error.hint)


def test_bad_rows_go_to_quarantine_beside_good_ones(context):
    bad(context, 2)
    context.settle_bad_rows("quarantine", 1)
    assert [row.reason for row in context.bad_rows] == ["reason 1", "reason 2"]
    assert all(len(row.excerpt) == EXCERPT_CHARACTERS for row in context.bad_rows)


def test_nothing_but_bad_rows_is_refused_in_any_case(context):
    bad(context, 2)
    with pytest.raises(SourceError, match="2 of 2 rows") as caught:
        context.settle_bad_rows("quarantine", 0)
    assert caught.value.hint == "is it the right file, in the source's format and in UTF-8?"  # to set aside helps none

"""A full disk: every command says so, and what frees space works. Files may not grow, as on a disk without space."""

import errno
import shutil
import subprocess
from pathlib import Path

import pytest
from tiny_project import HNM, TinyProject, environment

from hnm.cli.refused_by_system import refused_by_system


def without_space(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """A command that can make files and folders, but write nothing into them."""
    limited = ["/bin/sh", "-c", 'ulimit -f 0; exec "$0" "$@"', str(HNM), *command]
    return subprocess.run(limited, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def assert_said(done: "subprocess.CompletedProcess[str]") -> None:
    assert (done.returncode, "Traceback" in done.stderr, "bug in hnm" in done.stderr) == (1, False, False), done.stderr
    assert "File too large" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize("command", [["run", "--full-refresh"], ["retry"], ["parse"]], ids=str)
def test_what_cannot_be_written_is_said(built: TinyProject, command: list[str]) -> None:
    built.write("sql/report.sql", "select nothing from {{ ref('vectors') }}")
    assert not built.run("report").ok
    before = built.load().state()
    assert_said(without_space(built.root, *command))
    assert built.load().state() == before


def test_the_first_run_says_it_too(tiny: TinyProject) -> None:
    assert_said(without_space(tiny.root, "run"))
    assert tiny.run().ok


def test_what_only_reads_works(built: TinyProject) -> None:
    for command in (["plan"], ["query", "from report"], ["gc"]):
        assert without_space(built.root, *command).returncode == 0


def test_collecting_frees_space(built: TinyProject) -> None:
    garbage = built.root / "data/warehouse/work/gone"
    garbage.mkdir(parents=True)
    (garbage / "rows").write_bytes(b"x" * 1000)
    done = without_space(built.root, "gc", "--yes")
    assert (done.returncode, garbage.exists()) == (0, False), done.stderr


def test_a_new_project_that_does_not_fit_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    assert_said(without_space(tmp_path, "init", "mine"))
    assert subprocess.run([HNM, "init", "mine"], cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_a_write_that_fails_names_no_file() -> None:
    """As the system has it: the name was given when the file was opened."""
    told = refused_by_system(OSError(errno.ENOSPC, "No space left on device"))
    assert told is not None
    assert (told.where, told.why) == (None, "No space left on device")
    assert "hnm gc" in str(told.hint)
    assert refused_by_system(OSError(errno.EACCES, "Permission denied")) is None


def test_where_a_file_is_copied_to_is_named() -> None:
    told = refused_by_system(OSError(errno.ENOSPC, "No space left on device", "from", None, "to"))
    assert str(told and told.where) == "to"


def test_a_folder_that_is_copied_to_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "from" / "inner").mkdir(parents=True)
    (tmp_path / "from" / "inner" / "rows").write_text("x")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "inner").write_text("a file")
    with pytest.raises(shutil.Error) as caught:
        shutil.copytree(tmp_path / "from", tmp_path / "to", dirs_exist_ok=True)
    told = refused_by_system(caught.value)
    assert told is not None
    assert (str(told.where), told.why) == (str(tmp_path / "to" / "inner"), "File exists")
    assert refused_by_system(shutil.Error("words")) is None

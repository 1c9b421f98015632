"""Writing aside: whole or not there, and what a killed process left is removed by the next one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_project import wait_for

from hnm.errors import HnmError
from hnm.writers._aside import LOCK, aside

HALF = "half"
WRITER = f"""
import sys, time
from pathlib import Path
from hnm.writers._aside import aside

with aside(Path(sys.argv[1]), replace=True) as written:
    written.mkdir()
    (written / "{HALF}").write_text("half")
    time.sleep(60)
"""
KILLED_WHILE_REPLACING = """
import os, signal, sys
from pathlib import Path
from hnm.writers._aside import aside

def killed(self, target):
    os.kill(os.getpid(), signal.SIGKILL)

with aside(Path(sys.argv[1]), replace=True) as written:
    written.mkdir()
    (written / "new").write_text("whole")
    Path.replace = killed
"""


def writer(target: Path, code: str = WRITER) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", code, str(target)], cwd=Path(__file__).parents[2])


def write(target: Path, replace: bool = False) -> None:
    with aside(target, replace) as written:
        written.mkdir()
        (written / "whole").write_text("whole")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    target = tmp_path / "out"
    dead, living = writer(target), writer(target)
    try:
        wait_for(lambda: len(list(tmp_path.glob(f".out.*/out/{HALF}"))) == 2)
        os.kill(dead.pid, signal.SIGKILL)
        dead.wait()
        assert len(names(tmp_path)) == 2
        write(target)
        assert names(target) == ["whole"]
        assert len(list(tmp_path.glob(f".out.*/out/{HALF}"))) == 1
        assert len(names(tmp_path)) == 2  # the target, and what the living process writes
    finally:
        living.kill()
        living.wait()
    write(target, replace=True)
    assert names(tmp_path) == ["out"]


def test_a_kill_between_the_old_folder_and_the_new_one_leaves_the_new_one(tmp_path):
    target = tmp_path / "out"
    write(target)
    assert writer(target, KILLED_WHILE_REPLACING).wait() == -signal.SIGKILL
    assert not target.exists()
    with pytest.raises(HnmError, match="not empty"):
        write(target)
    assert (names(target), names(tmp_path)) == (["new"], ["out"])


def test_nothing_else_beside_it_is_touched(tmp_path):
    others = [tmp_path / name for name in (".out.backup", ".out.12345678", ".out.more.12345678", "out.12345678")]
    for other in others:
        other.mkdir()
    (tmp_path / ".out.more.12345678" / LOCK).touch()  # of the name `out.more`
    (tmp_path / "out.12345678" / LOCK).touch()
    write(tmp_path / "out")
    assert names(tmp_path) == sorted(["out", *(other.name for other in others)])


def test_an_error_inside_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="midway"), aside(tmp_path / "out") as written:
        written.write_text("half")
        raise RuntimeError("midway")
    assert names(tmp_path) == []


def test_two_of_one_name_in_one_process_do_not_disturb_each_other(tmp_path):
    with aside(tmp_path / "out", replace=True) as outer:
        outer.mkdir()
        (outer / "outer").touch()
        write(tmp_path / "out")
    assert names(tmp_path / "out") == ["outer"]


def test_links_are_followed_and_pipes_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    with aside(tmp_path / "link") as written:
        written.write_text("whole")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "whole"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HnmError, match="a pipe or device cannot be replaced"), aside(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()

"""One run at a time per warehouse."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tiny_project import wait_for

from hnm.errors import LockedError
from hnm.warehouse.lock import run_lock

HOLD = """
import sys, time
from pathlib import Path
from hnm.warehouse.lock import run_lock
with run_lock(Path(sys.argv[1]), "hnm run --select x"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_lock_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with run_lock(tmp_path / "not" / "there", "hnm run"):
            known = json.loads((tmp_path / "not" / "there" / "run.lock.json").read_text())
            assert (known["pid"], known["command"]) == (os.getpid(), "hnm run")
    assert not (tmp_path / "not" / "there" / "run.lock.json").exists()


def test_an_error_frees_it_too(tmp_path):
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path, "hnm run"):
        1 / 0  # noqa: B018 # raises
    with run_lock(tmp_path, "hnm run"):
        pass


def test_a_second_holder_in_the_same_process_is_refused(tmp_path):
    with run_lock(tmp_path, "first"), pytest.raises(LockedError, match="another run"), run_lock(tmp_path, "second"):
        pass


def test_another_process_is_named(holder, tmp_path):
    began = time.monotonic()
    with pytest.raises(LockedError) as caught, run_lock(tmp_path, "hnm run"):
        pass
    assert time.monotonic() - began < 5
    assert f"process {holder.pid}: hnm run --select x, since 20" in caught.value.why
    assert "hnm query" in caught.value.hint


def test_a_killed_holder_frees_it(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run.lock.json").exists()
    with run_lock(tmp_path, "hnm run"):
        assert json.loads((tmp_path / "run.lock.json").read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"pid": 1}'])
def test_a_damaged_note_about_the_holder_does_no_harm(holder, tmp_path, text):
    (tmp_path / "run.lock.json").write_text(text)
    with pytest.raises(LockedError), run_lock(tmp_path, "hnm run"):
        pass


def test_the_lock_is_waited_for_by_polling(holder, tmp_path):
    holder.kill()

    def free():
        try:
            with run_lock(tmp_path, "hnm run"):
                return True
        except LockedError:
            return False

    wait_for(free)

"""What the console script does before any command."""

import subprocess
import sys

import pytest
from tiny_project import environment

from hnm.cli.main import _run

CALL = """
import os, sys
from hnm.cli.main import main
sys.argv = ["hnm", "--version"]
try:
    main()
finally:
    print(os.environ["OMP_WAIT_POLICY"])
"""


@pytest.mark.parametrize(("asked", "kept"), [({"OMP_WAIT_POLICY": ""}, ""), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_who_asks_for_another_waiting_of_threads_gets_it(asked: dict[str, str], kept: str) -> None:
    assert policy(environment(asked)) == kept


def test_threads_that_wait_leave_the_cores_to_others() -> None:
    env = environment()
    del env["OMP_WAIT_POLICY"]
    assert policy(env) == "PASSIVE"


def policy(env: dict[str, str]) -> str:
    done = subprocess.run([sys.executable, "-c", CALL], env=env, capture_output=True, text=True, check=False)
    return done.stdout.removesuffix("\n").rpartition("\n")[2]


INTERRUPTED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from hnm.cli.main import main
sys.argv = ["hnm", "--help"]
main()
"""


@pytest.mark.parametrize("module", ["typer", "hnm.errors", "hnm.cli.run"])
def test_ctrl_c_while_the_command_line_is_imported_ends_in_one_line(module: str) -> None:
    code = INTERRUPTED.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    words = "interrupted: what was published stays; the same command does the rest"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"\n{words}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--select", "a", "b"], "several selectors stand in quotes: --select 'a b'"),
        (["compile", "a", "b"], "see `hnm compile --help`"),
        (["nothing"], "see `hnm --help`"),
    ],
)
def test_wrong_usage_is_told_with_what_helps(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["hnm", *arguments])
    assert _run() == 2
    assert words in capsys.readouterr().err

"""The command in a process of its own for each call, forked from one that has already imported it.

Half of what a quick command takes is to start Python and to import the command line; tests call it a thousand times.
It is the console script's own `main()`, with arguments, folder, environment and streams of its own. What depends on how
a process starts (variables that Python or libraries read first, signals, limits) is tested with the script itself.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import warnings
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

TIMEOUT_SECONDS = 120
IMPORTED = ("hnm.cli.main", "hnm.cli.app", "hnm.api", "hnm.cli.run_view", "duckdb", "lance", "rich.progress")


def call(arguments: list[str], folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run `hnm` with these arguments in a folder, with stdout and stderr apart. Ended by a signal after two minutes."""
    with TemporaryDirectory() as streams:
        out, err = Path(streams, "out"), Path(streams, "err")
        request = {"arguments": arguments, "folder": str(folder), "environment": environment}
        code = _ask(request | {"stdout": str(out), "stderr": str(err)})
        return subprocess.CompletedProcess(["hnm", *arguments], code, _text(out), _text(err))


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8").replace("\r\n", "\n")  # as subprocess has it


def _ask(request: dict[str, object]) -> int:
    server = _server()
    assert server.stdin
    assert server.stdout
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


@cache
def _server() -> "subprocess.Popen[str]":
    """One for the whole session; it ends with its stdin."""
    command = [sys.executable, __file__]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)
    return server


def _serve() -> None:
    sys.path[0] = str(Path(sys.executable).parent)  # as in the script, not the folder of the tests
    for module in IMPORTED:
        import_module(module)
    warnings.filterwarnings("ignore", "lance is not fork-safe")  # it is before it is used, which only children do
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
            sys.modules["hnm.cli.main"].main()  # which ends the process
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(request: dict[str, object]) -> None:
    signal.alarm(TIMEOUT_SECONDS)
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    sys.argv = ["hnm", *request["arguments"]]  # type: ignore[misc]
    for stream, path in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        opened = os.open(str(path), os.O_RDONLY if stream == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, stream)
        os.close(opened)


if __name__ == "__main__":
    _serve()

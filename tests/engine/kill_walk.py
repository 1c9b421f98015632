"""Runs a project again and again, each time killed one step later, until a run comes through. A script of its own.

A step is whatever changes the state on disk: each file that Python opens for writing, renames or removes in the
warehouse, each transaction before and after its commit, each write of a Lance table before and after.

    python kill_walk.py PROJECT PREPARED [EVERY]    walk every step (or every so many)

PREPARED is a copy of the project as it is before the run. One process per run, forked from one that has imported
everything and opened nothing. Prints a JSON line: the steps walked, and what went wrong at which.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import lance

from hnm.api import Project
from hnm.engine import build_python, build_sql, check, publish, run  # noqa: F401 # imported before the first fork
from hnm.warehouse import database, lance_table  # noqa: F401
from hnm.warehouse.digest import data_version

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}


class Steps:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, last: int, warehouse: Path) -> None:
        self.count = 0
        self.last = last
        self.warehouse = str(warehouse)

    def step(self) -> None:
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if (writes or event in CHANGES) and str(arguments[0]).startswith(self.warehouse):
            self.step()

    def watch(self) -> None:
        sys.addaudithook(self.audit)
        transaction, write = database.Database._transaction, lance.write_dataset

        @contextmanager
        def watched(self_: database.Database, attach: Any) -> Iterator[Any]:
            with transaction(self_, attach) as connection:
                yield connection
                self.step()
            self.step()

        def written(*arguments: Any, **options: Any) -> Any:
            self.step()
            dataset = write(*arguments, **options)
            self.step()
            return dataset

        database.Database._transaction = watched  # type: ignore[method-assign, assignment]
        lance.write_dataset = written


def forked(task: Callable[[], Any]) -> tuple[int, Any]:
    """Run a task in a child; how that ended (0, or minus the signal), and what the task returned."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 0
        try:
            told = json.dumps(task())
        except BaseException:
            told, code = json.dumps(traceback.format_exc()), 1
        with os.fdopen(writing, "w") as stream:
            stream.write(told)
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as stream:
        told = stream.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), json.loads(told) if told else None


def run_until(root: Path, last: int) -> Callable[[], int]:
    def task() -> int:
        project = Project.load(root)
        steps = Steps(last, project.warehouse.folder)
        steps.watch()
        assert project.run().ok
        return steps.count

    return task


def versions(root: Path) -> dict[str, str]:
    """The data version of every published table, as it is, which must be what the state says."""
    project = Project.load(root)
    found = {}
    for name, done in project.state().items():
        if done.materialized == "lance":
            with duckdb.connect() as connection:
                connection.register("found", project.warehouse.lance_dataset(done))
                found[name] = data_version(connection, "found")
        else:
            with project.warehouse.database.reading() as connection:
                found[name] = data_version(connection, name)
        assert found[name] == done.data_version, f"{name} is not what the state says"
    return found


def go_on(root: Path) -> dict[str, str]:
    result = Project.load(root).run()
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    assert all(stage.outcome == "fresh" for stage in Project.load(root).run().results)
    return versions(root)


def walk(root: Path, prepared: Path, every: int) -> dict[str, Any]:
    def reset() -> None:
        shutil.rmtree(root)
        shutil.copytree(prepared, root)

    problems: list[str] = []
    _, old = forked(lambda: versions(root))
    code, total = forked(run_until(root, 0))
    assert code == 0, total
    _, new = forked(lambda: versions(root))
    for last in range(1, total + 1, every):
        reset()
        code, _ = forked(run_until(root, last))
        if code != -signal.SIGKILL:
            problems.append(f"step {last}: ended with {code}")
        code, left = forked(lambda: versions(root))
        if code or any(version not in (old.get(name), new[name]) for name, version in left.items()):
            problems.append(f"step {last}: left {left}")
        elif old.keys() - left.keys():
            problems.append(f"step {last}: lost {sorted(old.keys() - left.keys())}")
        code, after = forked(lambda: go_on(root))
        if code or after != new:
            problems.append(f"step {last}: the next run made {after}")
    return {"steps": total, "problems": problems}


if __name__ == "__main__":
    arguments = sys.argv[1:]
    step = int(arguments[2]) if len(arguments) > 2 else 1
    sys.stdout.write(json.dumps(walk(Path(arguments[0]), Path(arguments[1]), step)) + "\n")

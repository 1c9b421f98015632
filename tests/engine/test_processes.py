"""Real processes: who may do what while a run goes on, and what a kill, an interrupt or a full disk leaves behind."""

import json
import random
import signal
import subprocess
import time

import duckdb
import pytest
from tiny_project import HNM, environment, wait_for

from hnm.warehouse.digest import data_version

PIPELINE = """
stages:
  - {name: first}
  - {name: slow, transform: "waiting:wait", inputs: {first: ref(first)}, materialized: lance}
  - {name: last}
"""
SQL = {"first": "select range as n from range(3)\n", "last": "select sum(n)::integer as total from {{ ref('slow') }}\n"}
WAITING = '''
import time

from hnm.transform import Params, transform


@transform(params=Params, inputs=("first",))
def wait(inputs, params, context):
    """Yields a row, then waits for a file, then yields the rest."""
    rows = inputs.table("select n from first order by n")
    yield rows.slice(0, 1)
    (context.workdir / "half").write_text("done")
    (context.root / "started").write_text("")
    deadline = time.monotonic() + 60
    while not (context.root / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    yield rows.slice(1)
'''


@pytest.fixture
def waiting(tiny):
    """A project whose second stage waits until `go()`; `waiting.begin()` starts a run that has come so far."""
    tiny.stages(PIPELINE, **SQL)
    tiny.write("waiting.py", WAITING)
    started = []

    def begin(*arguments):
        process = tiny.start("run", *arguments)
        started.append(process)
        wait_for(lambda: (tiny.root / "started").exists() or process.poll() is not None)
        assert process.poll() is None, process.stderr.read()
        return process

    tiny.begin = begin
    tiny.go = lambda: (tiny.root / "go").write_text("")
    yield tiny
    for process in started:
        process.kill()
        process.communicate()


def statuses(tiny):
    return [status for (status,) in tiny.rows("select status from _hnm.runs order by started_at")]


def test_while_a_run_goes_on(waiting):
    run = waiting.begin()
    second = waiting.hnm("run")
    assert (second.returncode, second.stdout) == (1, "")
    assert "another run holds" in second.stderr
    assert f"process {run.pid}" in second.stderr
    query = waiting.hnm("query", "select sum(n)::integer as total from first", "--format", "json")
    assert (query.returncode, json.loads(query.stdout)) == (0, {"total": 3})
    assert waiting.hnm("plan").returncode == 0
    assert "slow" not in waiting.load().state()
    waiting.go()
    run.communicate(timeout=60)
    assert run.returncode == 0
    assert waiting.rows("select total from last") == [(3,)]
    assert statuses(waiting) == ["success"]


def test_who_writes_for_a_moment_while_a_stage_works_costs_it_nothing_but_time(waiting):
    run = waiting.begin()
    with duckdb.connect(waiting.root / "data/warehouse/hnm.duckdb"):
        waiting.go()
        time.sleep(1.5)
        assert run.poll() is None
    _, stderr = run.communicate(timeout=60)
    assert run.returncode == 0, stderr
    assert waiting.rows("select total from last") == [(3,)]


def test_a_kill_leaves_the_last_good_state_and_the_next_run_goes_on(waiting):
    run = waiting.begin()
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert waiting.load().state().keys() == {"first"}
    assert waiting.rows("select count(*) from first") == [(3,)]
    assert (waiting.root / "data/warehouse/work/slow/state/half").read_text() == "done"
    waiting.go()
    assert waiting.outcomes() == {"first": "fresh", "slow": "built", "last": "built"}
    assert waiting.rows("select total from last") == [(3,)]


def test_a_kill_while_rebuilding_leaves_the_old_content(waiting):
    waiting.go()
    assert waiting.run().ok
    for name in ("go", "started"):
        (waiting.root / name).unlink()
    waiting.edit("sql/first.sql", "range(3)", "range(4)")
    run = waiting.begin()
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert waiting.rows("select count(*), sum(n)::integer from slow") == [(3, 3)]
    assert waiting.rows("select total from last") == [(3,)]
    waiting.go()
    assert waiting.outcomes() == {"first": "fresh", "slow": "built", "last": "built"}
    assert waiting.rows("select total from last") == [(6,)]


ENDLESS = "select sum(hash(range)) as s from range(100000000000)"


def interrupted(run):
    """Send what Ctrl-C sends; the seconds until the process ended, and what it wrote."""
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    _, stderr = run.communicate(timeout=30)
    return time.monotonic() - began, stderr


def test_ctrl_c_ends_a_run_soon_with_a_hint(waiting):
    run = waiting.begin()
    seconds, stderr = interrupted(run)
    assert run.returncode == 1
    assert seconds < 2
    assert "interrupted" in stderr
    assert "the same command does the rest" in stderr
    assert "Traceback" not in stderr
    assert statuses(waiting) == ["interrupted"]
    waiting.go()
    assert waiting.outcomes() == {"first": "fresh", "slow": "built", "last": "built"}


def test_ctrl_c_ends_a_long_query_too(waiting):
    waiting.stages("stages: [{name: first}]", first=ENDLESS)
    run = waiting.start("run")
    try:
        wait_for(lambda: (waiting.root / "data/warehouse/work/first/build.duckdb").exists())
        time.sleep(0.5)
        seconds, stderr = interrupted(run)
    finally:
        run.kill()
    assert (run.returncode, "Traceback" in stderr) == (1, False), stderr
    assert seconds < 2
    assert "interrupted" in stderr


def test_ctrl_c_ends_a_query_of_the_user(built):
    run = built.start("query", ENDLESS)
    try:
        time.sleep(1.5)
        assert run.poll() is None
        seconds, stderr = interrupted(run)
    finally:
        run.kill()
    assert (run.returncode, "Traceback" in stderr) == (1, False), stderr
    assert seconds < 2


NATIVE = '''
from hnm.transform import Params, transform


@transform(params=Params, inputs=("first",))
def wait(inputs, params, context):
    """One call of native code that lets other threads work and takes half a minute."""
    import hashlib

    (context.root / "started").write_text("")
    hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 60_000_000)
    yield inputs.table("select n from first")
'''


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_native_code_that_does_not_let_go(waiting, times):
    waiting.write("waiting.py", NATIVE)
    run = waiting.begin()
    time.sleep(0.3)
    began = time.monotonic()
    for _ in range(times):
        run.send_signal(signal.SIGINT)
        time.sleep(0.2)
    _, stderr = run.communicate(timeout=30)
    assert time.monotonic() - began < (2 if times == 1 else 0.9)
    assert (run.returncode, "interrupted" in stderr, "Traceback" in stderr) == (1, True, False), stderr
    assert waiting.rows("select count(*) from first") == [(3,)]


# Kills at any moment.

COMPLETE = {"shelf.corpus", "documents", "word_counts", "long_documents", "vectors", "report"}


def assert_whole(tiny):
    """The state can be read, and every table has exactly the content that the state says."""
    project = tiny.load()
    for name, done in project.state().items():
        if done.materialized == "lance":
            with duckdb.connect() as connection:
                connection.register("found", project.warehouse.lance_dataset(done))
                assert data_version(connection, "found") == done.data_version, name
        else:
            with project.warehouse.database.reading() as connection:
                assert data_version(connection, name) == done.data_version, name
                assert connection.execute(f"select count(*) from {name}").fetchall() == [(done.row_count,)]


def killed(tiny, moment):
    """Start a run, kill it when `moment()` holds; False when it had ended before."""
    process = tiny.start("run", "--quiet")
    while not moment() and process.poll() is None:
        time.sleep(0.0005)
    ended = process.poll() is not None
    process.kill()
    process.communicate()
    return not ended


MOMENTS = {
    "the database appears": "hnm.duckdb",
    "a transaction is written": "hnm.duckdb.wal",
    "a stage is built": "work/word_counts/build.duckdb",
    "a Lance table is written": "lance/vectors.lance",
}


@pytest.mark.parametrize("path", MOMENTS.values(), ids=MOMENTS)
def test_a_kill_at_a_delicate_moment(tiny, path):
    killed(tiny, (tiny.root / "data/warehouse" / path).exists)
    assert_whole(tiny)
    assert tiny.run().ok
    assert_whole(tiny)
    assert tiny.load().state().keys() == COMPLETE
    assert tiny.rows("select * from report") == [(3, 5.0)]


@pytest.mark.slow
def test_kills_at_random_moments(built):
    moments = random.Random(0)
    kills = 0
    for number in range(25):
        built.edit("data/corpus.csv", "d3,three,", f"e{number},more,x y z\nd3,three,")
        end = time.monotonic() + moments.uniform(0.3, 2.0)
        kills += killed(built, lambda end=end: time.monotonic() > end)
        assert_whole(built)
    assert kills > 5
    assert built.run().ok
    assert built.rows("select documents from report") == [(28,)]
    assert_whole(built)


# A disk that is full: files may not grow beyond a limit.


def test_a_full_disk_fails_the_stage_and_keeps_the_rest(built):
    before = built.load().state()
    built.write("sql/long_documents.sql", "select range as words, md5(range::text) as x from range(2000000)\n")
    run = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 20000; exec "$0" run', HNM],
        cwd=built.root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    assert "long_documents" in run.stderr
    assert "disk space" in run.stderr
    assert built.load().state() == before
    assert_whole(built)

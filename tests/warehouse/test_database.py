"""The DuckDB file is shared in turns: real processes hold it, readers and writers wait for a while."""

import subprocess
import sys
import time

import duckdb
import pytest

from hnm.errors import LockedError, WarehouseError
from hnm.warehouse import database as module
from hnm.warehouse.database import Database

HOLD = """
import sys, time, duckdb
with duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reading") as connection:
    print("held", flush=True)
    time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def database(tmp_path):
    found = Database(tmp_path / "folder" / "hnm.duckdb")
    with found.writing() as connection:
        connection.execute("create table t as select 1 as x")
    return found


@pytest.fixture
def hold(database):
    """`hold("writing", seconds)`: another process has the file open for so long."""
    started = []

    def start(how, seconds):
        command = [sys.executable, "-c", HOLD, database.path, how, str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def values(database):
    with database.reading() as connection:
        return [x for (x,) in connection.execute("select x from t order by x").fetchall()]


def add(database, x):
    with database.writing() as connection:
        connection.execute("insert into t values (?)", [x])


def test_what_is_written_is_read(database):
    add(database, 2)
    assert values(database) == [1, 2]


def test_a_failure_undoes_everything(database):
    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        connection.execute("insert into t values (2)")
        connection.execute("create table u as select 1 as y")
        1 / 0  # noqa: B018 # raises
    assert values(database) == [1]
    with database.reading() as connection:
        assert connection.execute("select count(*) from duckdb_tables()").fetchall() == [(1,)]


def test_an_interrupt_undoes_everything_too(database):
    with pytest.raises(KeyboardInterrupt), database.writing() as connection:
        connection.execute("insert into t values (2)")
        raise KeyboardInterrupt
    assert values(database) == [1]


def test_reading_cannot_write_or_reach_files(database, tmp_path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    for sql in ("insert into t values (2)", f"select * from '{tmp_path}/x.csv'", f"attach '{tmp_path}/y.duckdb'"):
        with pytest.raises(duckdb.Error), database.reading() as connection:
            connection.execute(sql).fetchall()
    assert values(database) == [1]


def test_a_missing_file_is_said_so_and_not_made(tmp_path):
    missing = Database(tmp_path / "hnm.duckdb")
    with pytest.raises(WarehouseError, match="no warehouse") as caught, missing.reading():
        pass
    assert "hnm run" in caught.value.hint
    assert not missing.exists()


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_a_damaged_file_is_said_so(tmp_path, content):
    damaged = Database(tmp_path / "locks" / "hnm.duckdb")  # a name that must not be taken for a held lock
    damaged.path.parent.mkdir()
    damaged.path.write_bytes(content)
    for use in (damaged.reading, damaged.writing, lambda: damaged.attached(duckdb.connect(), "warehouse")):
        with pytest.raises(WarehouseError, match="cannot open") as caught, use():
            pass
        assert "move it away" in caught.value.hint
    assert damaged.path.read_bytes() == content


KILLED = """
import os, sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.begin()
connection.execute("create table u as select range as y from range(1000)")
connection.execute("insert into t values (2)")
connection.commit()
os._exit(9)
"""


@pytest.fixture
def log(database):
    """The log of changes that a writer left who was killed after it had committed."""
    subprocess.run([sys.executable, "-c", KILLED, database.path], check=False)
    found = database.path.with_name("hnm.duckdb.wal")
    assert found.stat().st_size
    return found


def test_what_was_committed_before_a_kill_is_there(database, log):
    assert values(database) == [1, 2]


def test_the_log_of_a_database_that_was_moved_away_is_set_aside(database, log):
    content = log.read_bytes()
    database.path.rename(database.path.with_name("elsewhere"))
    with database.writing() as connection:
        connection.execute("create table t as select 7 as x")
    assert values(database) == [7]
    assert not log.exists()
    assert log.with_name("hnm.duckdb.wal.old").read_bytes() == content


@pytest.mark.parametrize("use", ["reading", "writing"])
def test_a_damaged_log_is_said_so_and_the_database_need_not_go(database, log, use):
    log.write_bytes(log.read_bytes()[:60] + b"x" * 50 + log.read_bytes()[110:])
    with pytest.raises(WarehouseError, match="cannot open") as caught, getattr(database, use)():
        pass
    assert "move hnm.duckdb.wal away" in caught.value.hint
    log.rename(log.with_name("away"))
    assert values(database) == [1]


def test_a_log_of_another_state_of_the_database_is_said_so_too(database, log):
    kept = log.read_bytes()
    add(database, 3)
    log.write_bytes(kept)
    with pytest.raises(WarehouseError, match="cannot open") as caught:
        values(database)
    assert "move hnm.duckdb.wal away" in caught.value.hint


def test_the_file_appears_only_when_it_is_whole(tmp_path, monkeypatch):
    """A kill while the file is made must not leave half of one under its name."""
    seen = []
    connect = duckdb.connect

    def watched(path, **options):
        seen.append((str(path), (tmp_path / "hnm.duckdb").exists()))
        return connect(path, **options)

    monkeypatch.setattr(duckdb, "connect", watched)
    with Database(tmp_path / "hnm.duckdb").writing() as connection:
        connection.execute("create table t as select 1 as x")
    made = [path for path, existed in seen if not existed]
    assert made
    assert str(tmp_path / "hnm.duckdb") not in made
    assert [path.name for path in tmp_path.iterdir()] == ["hnm.duckdb"]


def test_a_reader_waits_for_a_short_writer(database, hold):
    hold("writing", 0.6)
    began = time.monotonic()
    assert values(database) == [1]
    assert time.monotonic() - began > 0.3


def test_a_writer_waits_for_a_short_reader(database, hold):
    hold("reading", 0.6)
    add(database, 2)
    assert values(database) == [1, 2]


def test_readers_do_not_wait_for_readers(database, hold):
    holder = hold("reading", 30)
    assert values(database) == [1]
    assert holder.poll() is None


def attached_values(database):
    """What a stage reads, which is built in a connection of its own."""
    with duckdb.connect() as connection, database.attached(connection, "warehouse"):
        return [x for (x,) in connection.execute("select x from warehouse.t order by x").fetchall()]


def test_a_stage_that_reads_waits_for_a_short_writer(database, hold):
    hold("writing", 0.6)
    assert attached_values(database) == [1]


def test_what_was_attached_can_be_written_afterwards(database):
    with duckdb.connect() as connection:
        with database.attached(connection, "warehouse"):
            pass
        add(database, 2)
        with database.attached(connection, "warehouse"):
            assert connection.execute("select count(*) from warehouse.t").fetchall() == [(2,)]


@pytest.mark.parametrize(
    ("how", "use"),
    [("writing", values), ("writing", attached_values), ("reading", lambda database: add(database, 2))],
)
def test_patience_ends_with_the_name_of_the_holder(database, hold, monkeypatch, how, use):
    monkeypatch.setattr(module, "READ_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(module, "WRITE_PATIENCE_SECONDS", 0.2)
    holder = hold(how, 30)
    with pytest.raises(LockedError) as caught:
        use(database)
    assert f"process {holder.pid}" in caught.value.what

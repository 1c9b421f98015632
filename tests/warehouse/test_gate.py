"""Threads at one DuckDB file: readers together, writers alone, and no writer waits for ever."""

import threading
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.warehouse.database import Database
from hnm.warehouse.gate import Gate, gate_of


def together(*tasks):
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_writer_is_alone(writers):
    gate, inside, seen = Gate(), [], []

    def task(writes):
        with gate.writing() if writes else gate.reading():
            inside.append(writes)
            seen.append(list(inside))
            time.sleep(0.002)
            inside.remove(writes)

    together(*[lambda writes=writes: task(writes) for writes in writers])
    assert len(seen) == len(writers)
    assert all(len(there) == 1 or not any(there) for there in seen)


def test_readers_are_together():
    gate, met = Gate(), threading.Barrier(3, timeout=10)

    def read():
        with gate.reading():
            met.wait()

    together(read, read, read)


def test_a_reader_may_enter_again_while_a_writer_waits():
    gate, order = Gate(), []
    inside = threading.Event()

    def read():
        with gate.reading():
            inside.set()
            time.sleep(0.1)  # the writer waits by now
            with gate.reading():
                order.append("read")

    def write():
        inside.wait(10)
        with gate.writing():
            order.append("write")

    together(read, write)
    assert order == ["read", "write"]


def test_a_waiting_writer_goes_before_new_readers():
    gate, order = Gate(), []
    inside = threading.Event()

    def read_long():
        with gate.reading():
            inside.set()
            time.sleep(0.2)

    def write():
        inside.wait(10)
        with gate.writing():
            order.append("write")

    def read_late():
        inside.wait(10)
        time.sleep(0.1)
        with gate.reading():
            order.append("read")

    together(read_long, write, read_late)
    assert order == ["write", "read"]


def test_one_gate_for_a_file(tmp_path):
    assert gate_of(tmp_path / "a") is Database(tmp_path / "a").gate
    assert gate_of(tmp_path / "a") is not gate_of(tmp_path / "b")


def test_threads_that_read_and_write_one_database(tmp_path):
    database = Database(tmp_path / "hnm.duckdb")
    with database.writing() as connection:
        connection.execute("create table t as select 0 as x")
    sums = []

    def add():
        for _ in range(5):
            with database.writing() as connection:
                connection.execute("insert into t values (1), (-1)")

    def read():
        for _ in range(5):
            with database.reading() as connection:
                sums.append(connection.execute("select sum(x)::int from t").fetchone()[0])

    together(add, read, add, read)
    assert sums == [0] * 10
    with database.reading() as connection:
        assert connection.execute("select count(*) from t").fetchone() == (21,)

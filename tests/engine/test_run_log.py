"""The log file of a run."""

from pathlib import Path

import pytest

from hnm.engine.run import Invocation
from hnm.engine.run_log import KEPT_LOGS


def log(tiny, run):
    return (tiny.root / "target/logs" / f"{run.invocation_id}.log").read_text()


def run(tiny, level="info", **invocation):
    project = tiny.load()
    return project.run(project.plan(), invocation=Invocation(**invocation), log_level=level)


def test_every_event_is_a_line(tiny):
    lines = log(tiny, run(tiny)).splitlines()
    assert "run · tiny · target dev · 6 stages, 6 to build or check" in lines[0]
    assert lines[1].endswith("shelf.corpus: started (never built)")
    assert "shelf.corpus: built in" in lines[2]
    assert lines[2].endswith("4 rows: never built")
    assert lines[-1].endswith("ended: 6 built")
    assert len(lines) == 2 + 2 * 6
    assert all(line[24:28] == "INFO" for line in lines)


@pytest.mark.parametrize(("level", "lines"), [("debug", 2 + 2 * 6), ("info", 2), ("warning", 0), ("error", 0)])
def test_the_level_decides_what_is_kept(built, level, lines):
    assert len(log(built, run(built, level)).splitlines()) == lines


def test_failures_and_their_tracebacks_are_in_it(tiny):
    tiny.edit("counting.py", "    for batch in", "    raise ValueError('broken here')\n    for batch in")
    ended = tiny.hnm("run", "--log-level", "error")
    assert ended.returncode == 1
    (path,) = (tiny.root / "target/logs").iterdir()
    text = path.read_text()
    assert "ERROR   word_counts: failed" in text
    assert "Traceback" in text
    assert "counting.py" in text
    assert "built" not in text


def test_secrets_are_not_in_it(tiny, monkeypatch):
    monkeypatch.setenv("TINY_KEY", "hunter2-secret")
    tiny.write("sql/report.sql", "select error('{{ env_var('TINY_KEY') }}') as key from {{ ref('long_documents') }}")
    result = run(tiny)
    assert not result.ok
    assert "hunter2" not in str(result.results[-1].error)
    assert "hunter2" not in log(tiny, result)
    assert "***" in log(tiny, result)
    assert "hunter2" not in (tiny.root / "target/run_results.json").read_text()
    assert tiny.rows("select count(*) from _hnm.run_stages where contains(message, 'hunter2')") == [(0,)]


def test_only_the_last_logs_are_kept(built):
    folder = built.root / "target/logs"
    for path in folder.iterdir():
        path.unlink()
    for number in range(KEPT_LOGS + 5):
        (folder / f"{number}.log").write_text("old")
    (folder / "notes.txt").write_text("not a log")
    result = run(built)
    assert len(list(folder.glob("*.log"))) == KEPT_LOGS
    assert (folder / f"{result.invocation_id}.log").exists()
    assert (folder / "notes.txt").exists()


def test_a_run_that_cannot_start_has_no_log(built):
    from hnm.errors import LockedError
    from hnm.warehouse.lock import run_lock

    before = set((built.root / "target/logs").iterdir())
    with run_lock(built.root / "data/warehouse", "another"), pytest.raises(LockedError):
        run(built)
    assert set((built.root / "target/logs").iterdir()) == before


def test_a_folder_that_cannot_be_written_stops_no_run(tiny):
    (tiny.root / "target").mkdir()
    (tiny.root / "target/logs").write_text("in the way")
    assert run(tiny).ok


def test_a_disk_that_fills_up_stops_no_run(tiny):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no device that is always full")
    folder = tiny.root / "target/logs"
    folder.mkdir(parents=True)
    invocation = Invocation()
    (folder / f"{invocation.id}.log").symlink_to(full)
    project = tiny.load()
    assert project.run(project.plan(), invocation=invocation).ok

"""Several stages at a time: what may run beside what, that nothing else changes, and that it stops."""

import threading
import time

import pytest
from tiny_project import wait_for

from hnm.context import Settings
from hnm.engine.budget import CoreBudget, share
from hnm.engine.run import Invocation

MEETING = '''
import time

from hnm.transform import Params, transform


class MeetParams(Params):
    me: str
    other: str


def meet(inputs, params, context):
    """Says that it is there, and waits until the other one is."""
    import pyarrow as pa

    (context.root / params.me).write_text("")
    deadline = time.monotonic() + 2
    while not (context.root / params.other).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    yield pa.RecordBatch.from_pylist([{"met": (context.root / params.other).exists()}])
    (context.root / params.me).unlink()


def meet_alone(inputs, params, context):
    yield from meet(inputs, params, context)


MEET = transform(params=MeetParams)(meet)
MEET_ALONE = transform(params=MeetParams, uses="all")(meet_alone)
'''


def run(tiny, threads, *select, fail_fast=False, full_refresh=False):
    project = tiny.load()
    plan = project.plan(select, full_refresh=full_refresh)
    return project.run(plan, invocation=Invocation(fail_fast=fail_fast, threads=threads))


def meeting(tiny, transform, cores=2):
    """Two stages that see each other only if they run at the same time."""
    tiny.edit("project.yml", "cores: 1", f"cores: {cores}")
    tiny.write("meeting.py", MEETING)
    both = [
        f"{{name: {me}, transform: 'meeting:{transform}', params: {{me: {me}, other: {other}}}}}"
        for me, other in (("here", "there"), ("there", "here"))
    ]
    tiny.stages(f"stages: [{', '.join(both)}]")


def test_independent_stages_run_at_the_same_time(tiny):
    meeting(tiny, "MEET")
    assert run(tiny, 2).ok
    assert (True,) in tiny.rows("select met from here union all select met from there")


def test_not_with_one_thread_and_not_beside_a_stage_that_takes_all_cores(tiny):
    meeting(tiny, "MEET_ALONE")
    assert run(tiny, 2).ok
    assert tiny.rows("select met from here union all select met from there") == [(False,), (False,)]


def test_the_setting_is_the_default(tiny):
    meeting(tiny, "MEET")
    tiny.edit("project.yml", "cores: 2", "cores: 2, threads: 2")
    assert tiny.run().ok
    assert (True,) in tiny.rows("select met from here union all select met from there")


def wide(tiny, count):
    """`count` stages side by side, each over the same source stage, and one that reads them all."""
    names = [f"s{number:02}" for number in range(count)]
    listed = ", ".join(f"{{name: {name}, incremental: {{key: n, inputs: {{base: n}}}}}}" for name in names)
    sql = {name: f"select n, n * {number} as x from {{{{ ref('base') }}}}" for number, name in enumerate(names)}
    every = " union all ".join(f"select x from {{{{ ref('{name}') }}}}" for name in names)
    tiny.stages(
        f"stages: [{{name: base, unique_key: n}}, {listed}, {{name: total}}]",
        base="select range as n from range({{ var('least') }} * 10)",
        total=f"select sum(x)::bigint as x from ({every})",
        **sql,
    )


@pytest.mark.parametrize("threads", [3, 8])
def test_the_tables_are_the_same_and_every_stage_comes_after_its_inputs(tiny, threads):
    wide(tiny, 16)
    result = run(tiny, threads)
    assert result.ok
    names = [stage.name for stage in result.results]
    assert (names[0], names[-1], len(names)) == ("base", "total", 18)
    assert tiny.rows("select x from total") == [(190 * 120,)]
    tiny.edit("project.yml", "vars: {least: 2}", "vars: {least: 3}")  # now by key, side by side
    assert run(tiny, threads).ok
    assert tiny.rows("select x from total") == [(435 * 120,)]
    assert {stage.outcome for stage in run(tiny, threads).results} == {"fresh"}


SETTINGS = """
from hnm.transform import Params, transform

@transform(params=Params, inputs=None)
def told(inputs, params, context):
    import pyarrow as pa

    yield pa.RecordBatch.from_pylist([{"cores": context.settings.cores, "memory": context.settings.memory_limit}])
"""


def test_the_machine_is_shared_by_those_that_can_run_and_one_alone_has_all_of_it(tiny):
    tiny.write("telling.py", SETTINGS)
    tiny.edit("project.yml", "cores: 1", "cores: 4")
    told = ["{name: first, transform: 'telling:told'}"]
    told += [f"{{name: {name}, transform: 'telling:told', inputs: {{first: ref(first)}}}}" for name in ("one", "two")]
    tiny.stages(f"stages: [{', '.join(told)}]")
    assert run(tiny, 4).ok
    assert tiny.rows("select cores, memory from first") == [(4, "500MB")]
    assert tiny.rows("from one union all from two") == [(2, "250.000MB")] * 2
    assert run(tiny, 4, "first", "one", full_refresh=True).ok
    assert tiny.rows("select cores from one") == [(4,)]


def test_a_failure_skips_its_descendants_only(tiny):
    wide(tiny, 6)
    (tiny.root / "sql/s03.sql").write_text("select n, error('no') as x from {{ ref('base') }}")
    outcomes = {stage.name: stage.outcome for stage in run(tiny, 4).results}
    assert outcomes == {"base": "built", **{f"s{n:02}": "built" for n in range(6)}, "s03": "failed", "total": "skipped"}


def test_fail_fast_starts_nothing_more(tiny):
    wide(tiny, 12)
    (tiny.root / "sql/base.sql").write_text("select error('no') as n")
    outcomes = [stage.outcome for stage in run(tiny, 4, fail_fast=True).results]
    assert outcomes == ["failed"] + ["skipped"] * 13


def test_the_command_and_its_interrupt(tiny):
    tiny.edit("project.yml", "cores: 1", "cores: 2")
    endless = "select sum(hash(range)) as s from range(100000000000)"
    tiny.stages("stages: [{name: first}, {name: second}]", first=endless, second=endless)
    process = tiny.start("run", "--threads", "2")
    try:
        built = [tiny.root / f"data/warehouse/work/{name}/build.duckdb" for name in ("first", "second")]
        wait_for(lambda: all(path.exists() for path in built))
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(2)
        _, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    assert time.monotonic() - began < 2
    assert (process.returncode, "interrupted" in stderr, "Traceback" in stderr) == (1, True, False), stderr


def test_no_threads_is_wrong_usage(tiny):
    refused = tiny.hnm("run", "--threads", "0")
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)


def test_a_share_of_the_machine():
    settings = Settings(cores=8, memory_limit="6GB")
    assert share(settings, 1) == settings
    assert (share(settings, 3).cores, share(settings, 3).memory_limit) == (2, "2.000GB")
    assert share(Settings(cores=2), 4).cores == 1


def test_who_wants_all_cores_gets_them_before_those_who_come_later():
    budget, order = CoreBudget(2), []
    release = threading.Event()

    def work(name, cores, wait):
        with budget.taking(cores):
            order.append(name)
            wait.wait(5)

    done = threading.Event()
    done.set()
    threads = []
    for name, cores, wait in (("first", 1, release), ("all", 9, done), ("late", 1, done)):
        threads.append(threading.Thread(target=work, args=(name, cores, wait)))
        threads[-1].start()
        time.sleep(0.05)
    assert order == ["first"]  # there is a core for the late one, but not before its turn
    release.set()
    for thread in threads:
        thread.join(5)
    assert order == ["first", "all", "late"]

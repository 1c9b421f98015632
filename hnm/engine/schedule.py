"""In which order, and how many at once, the entries of a plan are worked on."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from hnm.engine.plan import Plan

T = TypeVar("T")


def scheduled(plan: Plan, start: Callable[[str], None], work: Callable[[str, int], T], threads: int) -> Iterator[T]:
    """Call `work` for the name of every entry, up to `threads` at once, each after all that it is built from.

    `work` is also told among how many entries the machine is to be shared: those that can run now, this one included,
    at most `threads`. One that is alone stays so until it is finished, for nothing else can become ready meanwhile.

    `start` is called in the caller's thread just before. Results come as they are finished: in the plan's order with
    one thread. What the caller does with a result is done before anything that depends on it starts.
    """
    if threads == 1:
        for entry in plan.entries:
            start(entry.node.name)
            yield work(entry.node.name, 1)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="stage")
    try:
        yield from _in_parallel(plan, start, work, pool, threads)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C does not wait for what runs
        raise
    pool.shutdown()


def _in_parallel(
    plan: Plan, start: Callable[[str], None], work: Callable[[str, int], T], pool: ThreadPoolExecutor, threads: int
) -> Iterator[T]:
    busy = {entry.node.name for entry in plan.entries if entry.status in ("run", "check")}
    unfinished = {entry.node.name: set(entry.node.depends_on) for entry in plan.entries}
    waiting = list(unfinished)
    running: dict[Future[T], str] = {}
    while unfinished:
        ready = [name for name in waiting if not unfinished[name] & unfinished.keys()]
        among = min(threads, len(busy.intersection((*running.values(), *ready))) or 1)
        for name in ready[: threads - len(running)]:
            waiting.remove(name)
            start(name)
            running[pool.submit(work, name, among)] = name
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            del unfinished[running.pop(future)]
            yield future.result()

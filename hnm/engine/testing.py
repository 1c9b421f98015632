"""Run the tests of stages: contract and data tests on what is published, unit tests on the code."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hnm.context import Reporter, Settings
from hnm.engine.contract import check_contract
from hnm.engine.data_tests import Failure, run_test
from hnm.engine.unit_test import run_unit_test
from hnm.errors import HnmError, Location, StageError
from hnm.masking import masked, masked_place
from hnm.project.data_tests import DataTest
from hnm.project.manifest import Node, UnitTest
from hnm.sqltext import literal, quote
from hnm.warehouse.digest import table_columns
from hnm.warehouse.failing_rows import keep_failing_rows, kept_tables
from hnm.warehouse.lock import run_lock
from hnm.warehouse.state import Materialization
from hnm.warehouse.warehouse import Warehouse, qualified

if TYPE_CHECKING:
    import duckdb


Status = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True)
class Verdict:
    """What came of one test. `rows`: how many offend, where the test counts them; `message`: why it did not pass."""

    kind: Literal["contract", "data", "unit"]
    stage: str
    name: str
    where: Location
    status: Status = "pass"
    rows: int | None = None
    message: str = ""
    seconds: float = 0.0

    def without(self, secrets: Iterable[str]) -> "Verdict":
        """The verdict as it may be shown."""
        hidden = tuple(secrets)
        return replace(self, message=masked(self.message, hidden), where=masked_place(self.where, hidden))


def run_data_tests(
    nodes: Iterable[Node], warehouse: Warehouse, state: Mapping[str, Materialization], settings: Settings
) -> Iterator[Verdict]:
    """Contracts and data tests of published tables; those of a stage that was never built are skipped.

    Writes nothing but the failing rows that are kept, and holds the warehouse for one stage at a time. Raises
    LockedError while a run goes on.
    """
    with run_lock(warehouse.folder, "hnm test") if state else nullcontext():
        yield from _test_stages(nodes, warehouse, state, settings)


def _test_stages(
    nodes: Iterable[Node], warehouse: Warehouse, state: Mapping[str, Materialization], settings: Settings
) -> Iterator[Verdict]:
    for node in nodes:
        reads = {node.name, *(name for test in node.tests for name in test.reads)}
        missing = sorted(reads - set(state))
        if missing:
            reason = f"{', '.join(missing)} was never built"
            for test in node.tests:
                yield Verdict("data", node.name, test.name, test.where, "skip", message=reason)
        elif node.tests or node.config.columns:
            yield from _test_stage(node, reads, warehouse, state, settings)


def run_unit_tests(tests: Iterable[UnitTest], root: Path, settings: Settings) -> Iterator[Verdict]:
    """Unit tests; they need no warehouse."""
    for test in tests:
        began = time.monotonic()
        verdict = Verdict("unit", test.stage, test.name, test.where)
        try:
            diff = run_unit_test(test, root, settings)
            if diff:
                verdict = replace(verdict, status="fail", message=f"{diff.counts()}\n{diff}")
        except HnmError as error:
            verdict = _failed(verdict, error)
        yield replace(verdict, seconds=time.monotonic() - began)


def refused_stages(
    tests: Sequence[UnitTest], root: Path, settings: Settings, reporter: Reporter
) -> dict[str, StageError]:
    """Run unit tests; the stages that fail one and must not be built, each with the error that tells of it."""
    failed: dict[str, list[Verdict]] = {}
    with reporter.progress("unit tests", len(tests), "tests") as advance:
        for verdict in run_unit_tests(tests, root, settings):
            if verdict.status == "fail":
                failed.setdefault(verdict.stage, []).append(verdict)
            advance(1)
    if tests:
        count = sum(map(len, failed.values()))
        reporter.note(f"unit tests: {len(tests) - count} passed, {count} failed")
    return {stage: _refusal(stage, of_stage) for stage, of_stage in failed.items()}


def _refusal(stage: str, failed: list[Verdict]) -> StageError:
    return StageError(
        f"{stage}: {len(failed)} unit test{'' if len(failed) == 1 else 's'} failed, so it was not built",
        where=failed[0].where,
        why="\n".join(f"{verdict.name}: {verdict.message}" for verdict in failed),
    )


def _test_stage(
    node: Node, reads: set[str], warehouse: Warehouse, state: Mapping[str, Materialization], settings: Settings
) -> list[Verdict]:
    table = quote(node.name) if state[node.name].materialized == "lance" else qualified(node.name)
    failures: list[Failure] = []
    with warehouse.querying(state, reads) as connection:
        connection.execute(f"set memory_limit = {literal(settings.memory_limit)}")
        connection.execute(f"set threads = {settings.cores}")
        verdicts = [_contract(connection, node, table)] if node.config.columns else []
        verdicts += [_data_test(connection, node, table, test, failures) for test in node.tests]
        kept = kept_tables(connection, node.name)
    if failures or kept:
        with warehouse.database.writing() as connection:
            keep_failing_rows(connection, node.name, {failure.test.name: failure.rows for failure in failures})
    return verdicts


def _contract(connection: "duckdb.DuckDBPyConnection", node: Node, table: str) -> Verdict:
    verdict = Verdict("contract", node.name, "columns and types", node.where)
    try:
        check_contract(connection, node, table_columns(connection, table))
    except StageError as error:
        return _failed(verdict, error)
    return verdict


def _data_test(
    connection: "duckdb.DuckDBPyConnection", node: Node, table: str, test: DataTest, failures: list[Failure]
) -> Verdict:
    """Run one test; a failure is added to `failures`."""
    began = time.monotonic()
    verdict = Verdict("data", node.name, test.name, test.where)
    try:
        failure = run_test(connection, node.name, table, test)
    except StageError as error:
        return _failed(verdict, error)
    if failure:
        failures.append(failure)
        status: Status = "fail" if failure.blocks else "warn"
        message = f"for example {failure.examples}\n{failure.command}"
        verdict = replace(verdict, status=status, rows=failure.count, message=message)
    return replace(verdict, seconds=time.monotonic() - began)


def _failed(verdict: Verdict, error: HnmError) -> Verdict:
    """The test could not run, or the contract is broken."""
    said = [error.what, error.why or "", f"hint: {error.hint}" if error.hint else ""]
    message = "\n".join(line for line in said if line)
    return replace(verdict, status="fail", message=message, where=error.where or verdict.where)

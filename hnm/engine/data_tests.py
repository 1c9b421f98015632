"""Run data tests on a table, built aside or published."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hnm.errors import StageError
from hnm.project.data_tests import DataTest
from hnm.sqltext import quote
from hnm.warehouse.failing_rows import KEPT_ROWS, SCHEMA, table_name

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SHOWN_ROWS = 3
ROW_CHARACTERS = 120


@dataclass(frozen=True)
class Failure:
    """A data test that warns or blocks. `count`: all offending rows; `rows`: the first of them, at most KEPT_ROWS."""

    stage: str
    test: DataTest
    count: int
    rows: "pa.Table"

    @property
    def blocks(self) -> bool:
        return self.test.blocks(self.count)

    @property
    def examples(self) -> str:
        """The first offending rows as text."""
        return "; ".join(_short(row) for row in self.rows.slice(0, SHOWN_ROWS).to_pylist())

    @property
    def command(self) -> str:
        """How to look at the rows that were kept."""
        query = f"from {SCHEMA}.{quote(table_name(self.stage, self.test.name))}"
        return f"hnm query {shlex.quote(query)}"

    def __str__(self) -> str:
        if self.test.kind == "row_count":
            return f"{self.test.name}: there are {self.rows['row_count'][0].as_py():,} rows"
        rows = f"{self.count:,} row{'' if self.count == 1 else 's'}"
        return f"{self.test.name}: {rows}, for example {self.examples}; see `{self.command}`"


def run_tests(
    connection: "duckdb.DuckDBPyConnection", stage: str, table: str, tests: Iterable[DataTest]
) -> list[Failure]:
    """The tests that fail on `table` (SQL text of its name); what they read must be visible under its own names.

    Raises StageError for a test that cannot run.
    """
    failures = (run_test(connection, stage, table, test) for test in tests)
    return [failure for failure in failures if failure]


def run_test(connection: "duckdb.DuckDBPyConnection", stage: str, table: str, test: DataTest) -> Failure | None:
    """One test; None when it passes. Raises StageError when it cannot run."""
    import duckdb

    query = f"select * from (\n{test.offending(table)}\n)"
    try:
        ((count,),) = connection.execute(f"select count(*) from ({query})").fetchall()
        if not (test.warns(count) or test.blocks(count)):
            return None
        rows = connection.sql(f"{query} order by all limit {KEPT_ROWS}").to_arrow_table()
    except duckdb.Error as error:
        first, *rest = str(error).splitlines()
        what = f"{stage}: the test {test.name!r} cannot run: {first}"
        raise StageError(what, where=test.where, why="\n".join(rest).strip() or None) from None
    return Failure(stage, test, count, rows)


def _short(row: dict[str, Any]) -> str:
    text = ", ".join(f"{name}={value}" for name, value in row.items())
    return f"({text if len(text) <= ROW_CHARACTERS else text[: ROW_CHARACTERS - 1] + '…'})"

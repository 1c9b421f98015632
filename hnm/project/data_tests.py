"""Data tests: each is a query for offending rows, run on what was built before it is published."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter, ValidationError

from hnm.errors import Location, ProjectError, nearest
from hnm.project.config import Config, StageConfig
from hnm.sqltext import literal, quote

if TYPE_CHECKING:
    import duckdb

Severity = Literal["error", "warn"]


class NoOptions(Config):
    severity: Severity = "error"


class AcceptedValues(NoOptions):
    values: tuple[str | int | float | bool, ...]


class InRange(NoOptions):
    min: float | None = None
    max: float | None = None


class RowCount(NoOptions):
    min: int = 0
    max: int | None = None


class Relationships(NoOptions):
    to: str
    field: str


class Sql(NoOptions):
    query: str
    """A condition that every row must meet."""


Builder = Callable[[str, tuple[str, ...], Any], str]


def _value(value: str | int | float | bool) -> str:
    return literal(value) if isinstance(value, str) else str(value)


def _unique(table: str, columns: tuple[str, ...], options: NoOptions) -> str:
    keys = ", ".join(quote(column) for column in columns)
    return f"select {keys}, count(*) as copies from {table} group by {keys} having count(*) > 1"


def _not_null(table: str, columns: tuple[str, ...], options: NoOptions) -> str:
    return f"select * from {table} where {quote(columns[0])} is null"


def _accepted_values(table: str, columns: tuple[str, ...], options: AcceptedValues) -> str:
    listed = ", ".join(_value(value) for value in options.values)
    return f"select * from {table} where {quote(columns[0])} not in ({listed})"


def _in_range(table: str, columns: tuple[str, ...], options: InRange) -> str:
    column = quote(columns[0])
    bounds = [f"{column} < {options.min}"] if options.min is not None else []
    bounds += [f"{column} > {options.max}"] if options.max is not None else []
    return f"select * from {table} where {' or '.join(bounds) or 'false'} or isnan({column}::double)"


def _row_count(table: str, columns: tuple[str, ...], options: RowCount) -> str:
    most = f" or count(*) > {options.max}" if options.max is not None else ""
    return f"select count(*) as row_count from {table} having count(*) < {options.min}{most}"


def _relationships(table: str, columns: tuple[str, ...], options: Relationships) -> str:
    column, field = quote(columns[0]), quote(options.field)
    return (
        f"select t.* from {table} t where t.{column} is not null and not exists "
        f"(select 1 from {quote(options.to)} r where r.{field} = t.{column})"
    )


def _condition(table: str, columns: tuple[str, ...], options: Sql) -> str:
    return f"select * from {table} where not ({options.query})"


KINDS: Mapping[str, tuple[type[NoOptions], Builder]] = {
    "unique": (NoOptions, _unique),
    "not_null": (NoOptions, _not_null),
    "accepted_values": (AcceptedValues, _accepted_values),
    "in_range": (InRange, _in_range),
    "row_count": (RowCount, _row_count),
    "relationships": (Relationships, _relationships),
    "sql": (Sql, _condition),
}

# What a bare value means, for tests that take more than a name.
_SHORTHAND: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "in_range": lambda value: dict(zip(("min", "max"), value, strict=True)),
    "accepted_values": lambda value: {"values": value},
    "sql": lambda value: {"query": value},
}


@dataclass(frozen=True)
class DataTest:
    """A test as declared: what it checks on which columns (none for a test of the table)."""

    kind: str
    columns: tuple[str, ...]
    options: NoOptions

    @property
    def name(self) -> str:
        return " ".join((self.kind, *self.columns))

    @property
    def reads(self) -> str | None:
        """The other node that the test reads."""
        return self.options.to if isinstance(self.options, Relationships) else None

    def offending(self, table: str) -> str:
        """SQL for the rows of `table` (SQL text of a table name) that fail."""
        return KINDS[self.kind][1](table, self.columns, self.options)


@dataclass(frozen=True)
class Failure:
    """A test that found rows: how many, and the first ones as text."""

    test: DataTest
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.test.name}: {self.count:,} rows, for example {'; '.join(self.examples)}"


def declared_tests(stage: StageConfig, where: Location) -> tuple[DataTest, ...]:
    """All tests of a stage; a `unique_key` is tested as such. Raises ProjectError for a test that cannot be read."""
    tests = [_read(test, (), where) for test in stage.tests]
    for column in stage.columns:
        tests += [_read(test, (column.name,), where) for test in column.tests]
    if stage.key:
        tests.append(DataTest("unique", stage.key, NoOptions()))
        tests += [DataTest("not_null", (column,), NoOptions()) for column in stage.key]
    return tuple(tests)


def run_tests(
    connection: "duckdb.DuckDBPyConnection", table: str, tests: tuple[DataTest, ...], shown: int = 3
) -> list[Failure]:
    """Run tests on `table`; the tables that they read must be visible under their names."""
    failures = []
    for test in tests:
        query = test.offending(table)
        count = connection.execute(f"select count(*) from ({query})").fetchone()
        if count and count[0]:
            rows = connection.execute(f"select * from ({query}) limit {shown}").fetchall()
            failures.append(Failure(test, int(count[0]), tuple(_short(row) for row in rows)))
    return failures


def _read(given: str | dict[str, Any], columns: tuple[str, ...], where: Location) -> DataTest:
    kind, value = (given, {}) if isinstance(given, str) else next(iter(given.items()), ("", {}))
    if kind not in KINDS or (isinstance(given, dict) and len(given) != 1):
        hint = nearest(kind, KINDS) or f"tests: {', '.join(KINDS)}"
        raise ProjectError(f"unknown data test {kind!r}", where=where, hint=hint)
    if not columns and kind not in ("row_count", "sql"):
        raise ProjectError(f"the test {kind!r} belongs to a column", where=where, hint="put it under `columns:`")
    try:
        options = value if isinstance(value, dict) else _SHORTHAND[kind](value)
        return DataTest(kind, columns, TypeAdapter(KINDS[kind][0]).validate_python(options))
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise ProjectError(f"the test {kind!r} has wrong options: {value!r}", where=where, why=str(error)) from None


def _short(row: tuple[Any, ...], most: int = 120) -> str:
    text = ", ".join(str(value) for value in row)
    return f"({text if len(text) <= most else text[: most - 1] + '…'})"

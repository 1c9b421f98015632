"""The kinds of data tests: per kind its options, and a query for the rows that offend. Pure.

As in dbt, NULL offends against `not_null` alone. NaN is never in range.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, field_validator, model_validator

from hnm.project.config_base import TEST_NAME, Config
from hnm.sqltext import literal, quote

Severity = Literal["error", "warn"]
Value = str | bool | int | FiniteFloat | date | datetime
Bound = int | FiniteFloat | date | datetime


class Thresholds(Config):
    """What every test takes: how it is called, and from how many offending rows it warns or blocks."""

    name: Annotated[
        str | None,
        Field(pattern=TEST_NAME, max_length=100, description="what reports call the test"),
    ] = None
    severity: Annotated[
        Severity, Field(description="`error` blocks publication; `warn` is shown, and the stage published")
    ] = "error"
    warn_if: Annotated[int, Field(ge=1, description="warn from this number of offending rows on")] = 1
    error_if: Annotated[int, Field(ge=1, description="block from this number of offending rows on")] = 1

    @model_validator(mode="after")
    def _each_threshold_has_an_effect(self) -> "Thresholds":
        if "error_if" in self.model_fields_set and self.severity == "warn":
            raise ValueError("`error_if` has no effect beside `severity: warn`")
        if "warn_if" in self.model_fields_set and self.severity == "error" and self.warn_if >= self.error_if:
            raise ValueError(f"`warn_if` has no effect: the test blocks from {self.error_if} on (`error_if`)")
        return self


class Options(Thresholds):
    """What every test in a pipeline file takes."""

    where: Annotated[str | None, Field(description="SQL condition: only rows that meet it are tested")] = None


def _refuse_reversed(least: float, greatest: float) -> None:
    if least > greatest:
        raise ValueError(f"`min` ({least}) is above `max` ({greatest})")


class AcceptedValues(Options):
    values: Annotated[tuple[Value, ...], Field(min_length=1, description="all values that may stand in the column")]


class InRange(Options):
    min: Annotated[Bound | None, Field(description="the least value that may stand in the column")] = None
    max: Annotated[Bound | None, Field(description="the greatest value that may stand in the column")] = None

    @model_validator(mode="after")
    def _is_bounded(self) -> "InRange":
        if self.min is None and self.max is None:
            raise ValueError("`min` or `max` is needed")
        if isinstance(self.min, int | float) and isinstance(self.max, int | float):
            _refuse_reversed(self.min, self.max)
        return self


class RowCount(Options):
    min: Annotated[int, Field(ge=0, description="the fewest rows")] = 0
    max: Annotated[int | None, Field(ge=0, description="the most rows")] = None

    @model_validator(mode="after")
    def _can_be_met(self) -> "RowCount":
        if self.max is not None:
            _refuse_reversed(self.min, self.max)
        return self


class Relationships(Options):
    to: Annotated[str, Field(description="the stage or `source.table` that has the values, also as `ref(stage)`")]
    field: Annotated[str, Field(description="its column that has them")]

    @field_validator("to")
    @classmethod
    def _without_ref(cls, value: str) -> str:
        return re.sub(r"^ref\(\s*['\"]?(\w+)['\"]?\s*\)$", r"\1", value.strip())


class FresherThan(Options):
    weeks: Annotated[float, Field(ge=0, allow_inf_nan=False, description="greatest age, in weeks")] = 0
    days: Annotated[float, Field(ge=0, allow_inf_nan=False, description="greatest age, in days")] = 0
    hours: Annotated[float, Field(ge=0, allow_inf_nan=False, description="greatest age, in hours")] = 0
    minutes: Annotated[float, Field(ge=0, allow_inf_nan=False, description="greatest age, in minutes")] = 0

    @property
    def seconds(self) -> float:
        return 60 * (self.minutes + 60 * (self.hours + 24 * (self.days + 7 * self.weeks)))

    @model_validator(mode="after")
    def _has_an_age(self) -> "FresherThan":
        if not self.seconds:
            raise ValueError("an age is needed, such as `days: 7`")
        return self


class Sql(Options):
    condition: Annotated[str, Field(description="a SQL condition over the columns; rows for which it is false offend")]


Columns = tuple[str, ...]


def _unique(table: str, columns: Columns, options: Options) -> str:
    keys = ", ".join(quote(column) for column in columns)
    known = " and ".join(f"{quote(column)} is not null" for column in columns)
    return f"select {keys}, count(*) as copies from {table} where {known} group by {keys} having count(*) > 1"


def _not_null(table: str, columns: Columns, options: Options) -> str:
    return f"select * from {table} where {quote(columns[0])} is null"


def _accepted_values(table: str, columns: Columns, options: AcceptedValues) -> str:
    return f"select * from {table} where {quote(columns[0])} not in ({', '.join(map(_literal, options.values))})"


def _in_range(table: str, columns: Columns, options: InRange) -> str:
    column = quote(columns[0])
    bounds = [f"{column} < {_literal(options.min)}"] if options.min is not None else []
    bounds += [f"{column} > {_literal(options.max)}"] if options.max is not None else []
    return f"select * from {table} where {' or '.join(bounds)} or isnan(try_cast({column} as double))"


def _row_count(table: str, columns: Columns, options: RowCount) -> str:
    most = f" or count(*) > {options.max}" if options.max is not None else ""
    return f"select count(*) as row_count from {table} having count(*) < {options.min}{most}"


def _relationships(table: str, columns: Columns, options: Relationships) -> str:
    column, field = quote(columns[0]), quote(options.field)
    to = ".".join(quote(part) for part in options.to.split("."))
    return (
        f"select t.* from {table} t where t.{column} is not null and not exists "
        f"(select 1 from {to} r where r.{field} = t.{column})"
    )


def _fresher_than(table: str, columns: Columns, options: FresherThan) -> str:
    latest = f"max({quote(columns[0])})"
    return (
        f"select {latest} as latest from {table} "
        f"having {latest} is null or epoch({latest}) < epoch(now()) - {options.seconds}"
    )


def _sql(table: str, columns: Columns, options: Sql) -> str:
    return f"select * from {table} where not (\n{options.condition}\n)"


def _literal(value: Any) -> str:
    """A YAML value as SQL; DuckDB reads text as the date or time that it is compared with."""
    return str(value).lower() if isinstance(value, bool | int | float) else literal(str(value))


def _duration(text: str) -> dict[str, Any]:
    """`7 days` as `{days: 7}`. Raises ValueError."""
    number, unit = text.split()
    return {unit.removesuffix("s") + "s": float(number)}


@dataclass(frozen=True)
class Kind:
    """`offending`: table (SQL text), columns and options to the query. `of`: whether it stands under a column or under
    the stage. `short`: what a bare value in place of options means; raises AttributeError, TypeError or ValueError.
    """

    example: str
    options: type[Options]
    offending: Callable[[str, Columns, Any], str]
    of: tuple[Literal["column", "stage"], ...] = ("column",)
    short: Callable[[Any], dict[str, Any]] | None = None


KINDS: Mapping[str, Kind] = {
    "unique": Kind("- unique", Options, _unique),
    "not_null": Kind("- not_null", Options, _not_null),
    "accepted_values": Kind(
        "- accepted_values: [train, test]", AcceptedValues, _accepted_values, short=lambda values: {"values": values}
    ),
    "in_range": Kind(
        "- in_range: [0, 1]", InRange, _in_range, short=lambda pair: dict(zip(("min", "max"), pair, strict=True))
    ),
    "row_count": Kind("- row_count: {min: 1}", RowCount, _row_count, of=("stage",)),
    "relationships": Kind("- relationships: {to: ref(corpus), field: doc_id}", Relationships, _relationships),
    "fresher_than": Kind("- fresher_than: 7 days", FresherThan, _fresher_than, short=_duration),
    "sql": Kind(
        "- sql: rank <= 100", Sql, _sql, of=("column", "stage"), short=lambda condition: {"condition": condition}
    ),
}

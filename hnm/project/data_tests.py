"""Data tests as a project declares them: in a stage's YAML, or as a query in sql/tests/. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hnm.errors import Location, ProjectError, nearest
from hnm.project.config import StageConfig
from hnm.project.data_test_kinds import KINDS, Options, Relationships, Thresholds
from hnm.project.validate import validated
from hnm.project.yaml_file import KeyPath, YamlFile

SQL_FILE = "sql_file"


@dataclass(frozen=True)
class DataTest:
    """What is tested on which columns (none for a test of the stage), and where that is declared.

    `name` is unique within the stage. `reads`: the nodes beside the stage that the test reads. `query`: for a test that
    is a file, its compiled SQL.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    options: Thresholds
    where: Location
    reads: tuple[str, ...] = ()
    query: str = ""

    def offending(self, table: str) -> str:
        """SQL for the rows that offend. `table`: SQL text of the name under which the stage's rows are read."""
        if not isinstance(self.options, Options):
            return self.query
        if self.options.where:
            table = f"(select * from {table} where (\n{self.options.where}\n))"
        return KINDS[self.kind].offending(table, self.columns, self.options)

    def warns(self, count: int) -> bool:
        """Is this number of offending rows worth a warning, if it does not block?"""
        return count >= self.options.warn_if

    def blocks(self, count: int) -> bool:
        """Does this number of offending rows keep the stage from being published?"""
        return self.options.severity == "error" and count >= self.options.error_if


def declared_tests(
    stage: StageConfig, file: YamlFile, keys: KeyPath, renamed: Mapping[str, str]
) -> tuple[DataTest, ...]:
    """All tests of a stage that stands at `keys` in `file`; a `unique_key` is tested as such.

    `renamed`: for the copy of a stage, the copies that it reads; its tests read them too.
    Raises ProjectError for a test that cannot be read.
    """
    tests = [_read(test, (), file, (*keys, "tests", index)) for index, test in enumerate(stage.tests)]
    for position, column in enumerate(stage.columns):
        place = (*keys, "columns", position, "tests")
        tests += [_read(test, (column.name,), file, (*place, index)) for index, test in enumerate(column.tests)]
    tests += _tests_of_key(stage.key, file.place((*keys, "unique_key")), {(test.kind, test.columns) for test in tests})
    return distinctly_named(_reading(test, renamed) for test in tests)


def _reading(test: DataTest, renamed: Mapping[str, str]) -> DataTest:
    """The test with copies in place of what was copied."""
    if not isinstance(test.options, Relationships) or test.options.to not in renamed:
        return test
    to = renamed[test.options.to]
    return replace(test, options=test.options.model_copy(update={"to": to}), reads=(to,))


def distinctly_named(tests: Iterable[DataTest]) -> tuple[DataTest, ...]:
    """The tests of one stage; a name that another test has already is numbered."""
    taken: set[str] = set()
    named = []
    for test in tests:
        number, name = 1, test.name
        while name.lower() in taken:
            number += 1
            name = f"{test.name} {number}"
        taken.add(name.lower())
        named.append(replace(test, name=name))
    return tuple(named)


def _tests_of_key(key: tuple[str, ...], where: Location, declared: set[tuple[str, tuple[str, ...]]]) -> list[DataTest]:
    """A key is unique and never null; what the stage itself says of the same columns counts before that."""
    wanted = [("unique", key), *(("not_null", (column,)) for column in key)] if key else []
    return [
        DataTest(_name(kind, columns), kind, columns, Options(), where)
        for kind, columns in wanted
        if (kind, columns) not in declared
    ]


def _read(given: str | dict[str, Any], columns: tuple[str, ...], file: YamlFile, keys: KeyPath) -> DataTest:
    if isinstance(given, dict) and len(given) != 1:
        raise ProjectError(f"an entry of `tests` is one test, not {given!r}", where=file.place(keys))
    name, value = (given, {}) if isinstance(given, str) else next(iter(given.items()))
    where = file.place((*keys, name))
    if name not in KINDS:
        hint = nearest(name, KINDS) or f"tests: {', '.join(KINDS)}"
        raise ProjectError(f"unknown data test {name!r}", where=where, hint=hint)
    kind = KINDS[name]
    if ("column" if columns else "stage") not in kind.of:
        belongs, hint = ("the stage", "the stage's `tests:`") if columns else ("a column", "`columns:`")
        raise ProjectError(f"the test {name!r} belongs to {belongs}", where=where, hint=f"put it under {hint}")
    options = validated(kind.options, _options(name, value, where), file, (*keys, name))
    reads = (options.to,) if isinstance(options, Relationships) else ()
    return DataTest(options.name or _name(name, columns), name, columns, options, where, reads)


def _options(name: str, value: Any, where: Location) -> dict[str, Any]:
    """The options as a mapping, also where a bare value stands for them."""
    short = KINDS[name].short
    try:
        if isinstance(value, dict) or short is None:
            return dict(value or {})
        return short(value)
    except (AttributeError, TypeError, ValueError):
        what = f"the test {name!r} has wrong options: {value!r}"
        raise ProjectError(what, where=where, hint=f"for example `{KINDS[name].example}`") from None


def _name(kind: str, columns: tuple[str, ...]) -> str:
    return " ".join((kind, *columns))

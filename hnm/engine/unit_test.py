"""Run a unit test: the stage's own code, in a DuckDB in memory that holds the given rows and nothing else."""

import csv
import io
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hnm.context import Context, Settings
from hnm.engine.build_python import output
from hnm.engine.build_sql import only_select
from hnm.engine.failures import system_failures
from hnm.engine.row_diff import RowDiff, row_diff
from hnm.engine.scratch import scratch
from hnm.errors import ProjectError, StageError, nearest
from hnm.inputs import Inputs
from hnm.project.manifest import Call, Rows, UnitTest
from hnm.sqltext import quote, split_name
from hnm.warehouse.digest import table_columns
from hnm.warehouse.warehouse import qualified

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

TEXT = "VARCHAR"
INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"})
# No stage's input has a space in its name.
GIVEN, ACTUAL, EXPECTED = "given rows", "actual rows", "expected rows"


def run_unit_test(test: UnitTest, root: Path, settings: Settings) -> RowDiff:
    """What the stage makes of the given rows, against what is expected: true when they differ.

    Raises ProjectError for rows that make no table, StageError when the stage fails or lacks an expected column.
    """
    with (
        system_failures(test.stage),
        TemporaryDirectory(prefix="hnm-") as folder,
        scratch(Path(folder) / "build.duckdb", settings) as connection,
    ):
        for name, rows in test.given.items():
            _create(connection, name, rows, test)
        context = Context(test.stage, root, Path(folder) / "work", settings)
        connection.register(ACTUAL, _output(connection, test, context))
        return _compared(connection, test)


def _output(connection: "duckdb.DuckDBPyConnection", test: UnitTest, context: Context) -> "pa.Table":
    import pyarrow as pa

    if isinstance(test.work, Call):
        context.workdir.mkdir()
        return pa.concat_tables(output(test.stage, test.work, Inputs(connection, tuple(test.given)), context))
    return connection.sql(only_select(connection, test.stage, test.work)).to_arrow_table()


def _compared(connection: "duckdb.DuckDBPyConnection", test: UnitTest) -> RowDiff:
    actual = _types(connection, ACTUAL)
    expected = _as_table(test.expect, {name for name, kind in actual.items() if kind == TEXT}, test.name)
    for name in expected.column_names:
        if name not in actual:
            what = f"{test.stage} has no column {name!r}, which {test.name!r} expects"
            hint = nearest(name, actual) or f"its columns: {', '.join(actual)}"
            raise StageError(what, where=test.expect.where, hint=hint)
    columns = tuple(expected.column_names) or tuple(actual)
    if expected.num_columns:
        connection.register(EXPECTED, expected)
        types = _types(connection, EXPECTED).items()
        casts = {name: _read_as(actual[name]) for name, kind in types if _is_read_as(kind, actual[name])}
        expected = connection.sql(_select(EXPECTED, columns, casts)).to_arrow_table()
    came = connection.sql(_select(ACTUAL, columns, {})).to_arrow_table()
    return row_diff(expected.to_pylist(), came.to_pylist(), columns, test.key, test.tolerance)


def _is_read_as(expected: str, actual: str) -> bool:
    """Is an expected value cast to the type that came out? Text and dates are; numbers never, as that would round."""
    return expected != actual and (TEXT in (expected, actual) or (expected == "DATE" and "TIMESTAMP" in actual))


def _read_as(actual: str) -> str:
    """As what text is read that an integer is held against: as an integer, 1.4 would be the 1 that came out."""
    return "DECIMAL(38, 9)" if actual in INTEGERS else actual


def _create(connection: "duckdb.DuckDBPyConnection", name: str, rows: Rows, test: UnitTest) -> None:
    """Make the table of an input, under the name by which the stage reads it."""
    import duckdb
    import pyarrow as pa

    given = _as_table(rows, rows.types, test.name)
    declared = {name.lower(): name for name in rows.types}  # in SQL, names of columns know no case
    given = given.rename_columns([declared.get(name.lower(), name) for name in given.column_names])
    for column in rows.types:
        if column not in given.column_names:
            given = given.append_column(column, pa.nulls(given.num_rows))
    if not given.num_columns:
        what = f"{test.name}: nothing says which columns {name!r} has"
        raise ProjectError(what, where=rows.where, hint="give a row, or `types:` such as {doc_id: VARCHAR}")
    connection.register(GIVEN, given)
    schema, _ = split_name(name)
    if schema:
        connection.execute(f"create schema if not exists {quote(schema)}")
    try:
        connection.execute(f"create table {qualified(name)} as {_select(GIVEN, given.column_names, rows.types)}")
    except duckdb.Error as error:
        what = f"{test.name}: the rows of {name!r} do not have the types of its columns"
        raise ProjectError(what, where=rows.where, why=str(error).splitlines()[0]) from None


def _as_table(rows: Rows, text: Collection[str], test: str) -> "pa.Table":
    """The rows as they are written; `text`: columns that CSV gives as text, whatever they look like.

    Raises ProjectError when they make no table.
    """
    import pyarrow as pa

    try:
        return _from_mappings(rows.rows) if rows.csv is None else _from_csv(rows.csv, text)
    except (pa.ArrowException, OverflowError, csv.Error) as error:
        what = f"{test}: these rows make no table: {str(error).splitlines()[0]}"
        raise ProjectError(what, where=rows.where, hint="give each column values of one type") from None


def _from_mappings(rows: tuple[Mapping[str, Any], ...]) -> "pa.Table":
    import pyarrow as pa

    columns = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in columns})


def _from_csv(text: str, as_text: Collection[str]) -> "pa.Table":
    """Fields without the white space around them, so that columns may be aligned."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    clean = io.StringIO()
    lines = [[field.strip() for field in line] for line in csv.reader(io.StringIO(text), skipinitialspace=True) if line]
    if lines and len(set(lines[0])) < len(lines[0]):
        raise csv.Error("a column stands twice")
    csv.writer(clean).writerows(lines)
    kept = {name.lower() for name in as_text}
    texts = {name: pa.string() for name in (lines[0] if lines else ()) if name.lower() in kept}
    options = arrow_csv.ConvertOptions(column_types=texts, null_values=[""], strings_can_be_null=True)
    return arrow_csv.read_csv(io.BytesIO(clean.getvalue().encode()), convert_options=options)


def _types(connection: "duckdb.DuckDBPyConnection", table: str) -> dict[str, str]:
    return table_columns(connection, quote(table))


def _select(table: str, columns: Collection[str], types: Mapping[str, str]) -> str:
    """SELECT of the columns, cast where a type is given."""
    listed = [
        f"cast({quote(name)} as {types[name]}) as {quote(name)}" if name in types else quote(name) for name in columns
    ]
    return f"select {', '.join(listed)} from {quote(table)}"

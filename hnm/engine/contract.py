"""Hold a built table to the columns and types that its stage declares."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hnm.errors import StageError, nearest
from hnm.project.manifest import Call, Node

if TYPE_CHECKING:
    import duckdb


def check_contract(connection: "duckdb.DuckDBPyConnection", node: Node, columns: Mapping[str, str]) -> None:
    """Every declared column is among `columns` (names to DuckDB types), with the declared type; so are the key by
    which rows are replaced, and the columns by which a transform has its table versioned.

    DuckDB's aliases are equal to what they stand for (`TEXT` to `VARCHAR`, `REAL[3]` to `FLOAT[3]`), and the width of a
    vector is part of its type. Raises StageError.
    """
    for name in node.config.incremental.columns if node.config.incremental else ():
        if name not in columns:
            what = f"{node.name}: the table has no column {name!r}, by which its rows are replaced"
            raise StageError(what, where=node.where, hint=f"make it, or name another `key`: {', '.join(columns)}")
    by = node.work.transform.version_by if isinstance(node.work, Call) else None
    for name in by or ():
        if name not in columns:
            what = f"{node.name}: the table has no column {name!r}, by which the transform has it versioned"
            raise StageError(what, where=node.where, hint=f"`version_by` may name {', '.join(columns)}")
    for column in node.config.columns:
        if column.name not in columns:
            hint = nearest(column.name, columns) or f"its columns: {', '.join(columns)}"
            what = f"{node.name}: the declared column {column.name!r} is missing"
            raise StageError(what, where=node.where, hint=hint)
        found = columns[column.name]
        if column.type and found != _canonical(connection, node, column.name, column.type):
            raise StageError(
                f"{node.name}.{column.name} is {found}, declared {column.type}",
                where=node.where,
                hint="cast it in the stage, or change the declaration",
            )


def _canonical(connection: "duckdb.DuckDBPyConnection", node: Node, column: str, declared: str) -> str:
    """DuckDB's own name of a declared type. Raises StageError when it knows none."""
    import duckdb

    try:
        row = connection.execute(f"describe select cast(null as {declared}) as declared").fetchone()
    except duckdb.Error as error:
        what = f"{node.name}.{column}: {declared!r} is no DuckDB type"
        raise StageError(what, where=node.where, why=str(error).splitlines()[0]) from None
    return str(row[1]) if row else declared

"""The tables of a warehouse at one moment, for commands that ask several things of them."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from hnm.errors import QueryError

if TYPE_CHECKING:
    import duckdb

    from hnm.api import Project
    from hnm.warehouse.state import Materialization

Row = dict[str, Any]


@dataclass(frozen=True)
class BuiltTables:
    """What is built of a project. `stages`: all that it has, built or not."""

    connection: "duckdb.DuckDBPyConnection"
    state: "Mapping[str, Materialization]"
    stages: Collection[str]

    def rows(self, needs: str, sql: str, *values: Any) -> list[Row]:
        """The rows of `sql`; none while the table `needs` is not built. NaN and infinity become None."""
        if needs not in self.state:
            return []
        found = self.connection.execute(sql, values)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, map(_finite, row), strict=True)) for row in found.fetchall()]

    def require(self, name: str) -> None:
        """Raises QueryError while that table is not built."""
        if name not in self.state:
            raise QueryError(f"the table {name} is not built", hint=f"`hnm run --select +{name}` builds it")

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that are stages of the project and not built."""
        return [name for name in names if name in self.stages and name not in self.state]

    def variables(self, stage: str) -> Row:
        """The vars that a stage was built with."""
        components = self.state[stage].components if stage in self.state else {}
        mark = "var "
        return {name.removeprefix(mark): json.loads(text) for name, text in components.items() if name.startswith(mark)}


@contextmanager
def reading(project: "Project", tables: Collection[str]) -> Iterator[BuiltTables]:
    """The project's built tables; the Lance ones among `tables` are visible too.

    Raises WarehouseError when nothing was built, QueryError when a table lacks what is asked of it.
    """
    import duckdb

    state = project.state()
    try:
        with project.warehouse.querying(state, set(tables)) as connection:
            yield BuiltTables(connection, state, project.manifest.nodes.keys())
    except duckdb.Error as error:
        raise QueryError(
            "a table is not as the default pipeline makes it",
            why=str(error).splitlines()[0],
            hint="docs/tables.md says which columns each table has",
        ) from None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value

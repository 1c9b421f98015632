"""Which rows of a dataset are meant: by strategy, by split, by a condition in SQL."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from hnm.errors import QueryError, nearest


@dataclass(frozen=True)
class Selection:
    """Rows of these strategies and splits that meet `where`, a condition in DuckDB's SQL over the columns.

    Empty means all. The order of `strategies` counts: where only some negatives of a pair are taken, those of the first
    strategy go first.
    """

    strategies: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    where: str | None = None

    @property
    def is_everything(self) -> bool:
        return not self.strategies and not self.splits and self.where is None

    def columns(self, known: Iterable[str]) -> set[str]:
        """The columns that the selection needs; for `where`, those that it may name."""
        words = set(re.findall(r"\w+", (self.where or "").lower()))
        named = {name for name in known if name.lower() in words}
        return named | ({"strategy"} if self.strategies else set()) | ({"split"} if self.splits else set())

    def condition(self) -> tuple[str, dict[str, Any]]:
        """The condition as SQL, and the values of its `$names`."""
        parts = ["list_contains($strategies, strategy)"] if self.strategies else []
        parts += ["list_contains($splits, split)"] if self.splits else []
        parts += [f"(\n{self.where}\n)"] if self.where is not None else []
        values = {"strategies": list(self.strategies), "splits": list(self.splits)}
        return " and ".join(parts) or "true", {name: value for name, value in values.items() if value}

    def check_columns(self, known: Collection[str], stage: str) -> None:
        """Raises QueryError when the stage has no column for what is asked."""
        for option, wanted in (("strategy", self.strategies), ("split", self.splits)):
            if wanted and option not in known:
                raise QueryError(
                    f"{stage} has no column {option!r} to select by", why=f"it has {', '.join(sorted(known))}"
                )

    def check_values(self, column: str, known: Collection[str]) -> None:
        """Raises QueryError for a strategy or split that no row has: a misspelt one would silently give nothing."""
        for value in self.strategies if column == "strategy" else self.splits:
            if value not in known:
                raise QueryError(
                    f"no row has the {column} {value!r}",
                    why=f"there are: {', '.join(sorted(known)) or 'none'}",
                    hint=nearest(value, known),
                )

    def __str__(self) -> str:
        words = [f"strategy {' or '.join(self.strategies)}"] if self.strategies else []
        words += [f"split {' or '.join(self.splits)}"] if self.splits else []
        words += [f"where {self.where}"] if self.where is not None else []
        return ", ".join(words) or "all rows"

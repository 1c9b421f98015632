"""The DuckDB file of a target: opened for moments only, because whoever writes it shuts all others out."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hnm.errors import LockedError, WarehouseError
from hnm.sqltext import literal, quote
from hnm.warehouse.damage import cannot_open, damaged, log_of, tells_of_damage
from hnm.warehouse.full_disk import tells_of_full_disk
from hnm.warehouse.gate import Gate, gate_of

if TYPE_CHECKING:
    import duckdb

READ_PATIENCE_SECONDS = 20.0
WRITE_PATIENCE_SECONDS = 60.0
Opened = TypeVar("Opened")
_HOLDER = re.compile(r"held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")


class Database:
    """The DuckDB file at `path`; it need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def gate(self) -> Gate:
        """What orders the threads of this process that use the file."""
        return gate_of(self.path.absolute())

    def exists(self) -> bool:
        return self.path.is_file()

    @contextmanager
    def reading(self) -> Iterator["duckdb.DuckDBPyConnection"]:
        """A read-only connection.

        Raises WarehouseError when there is no file or what is read of it is damaged, LockedError when a writer stays.
        """
        if not self.exists():
            raise WarehouseError(f"there is no warehouse at {self.path}", hint="`hnm run` makes it")
        with self.gate.reading(), self._failures_told():
            connection = self._open(read_only=True, patience=READ_PATIENCE_SECONDS)
            try:
                # Nothing but the warehouse can be read and nothing written, whatever the SQL says.
                connection.execute("set enable_external_access = false")
                yield connection
            finally:
                connection.close()

    @contextmanager
    def attached(self, connection: "duckdb.DuckDBPyConnection", name: str) -> Iterator[None]:
        """Make the tables readable in another connection, under `name`. Nobody can write meanwhile.

        Raises WarehouseError when the file cannot be opened, LockedError when a writer stays.
        """
        import duckdb

        with self.gate.reading():
            _attach(connection, name, self.path)
            try:
                yield
            finally:
                with suppress(duckdb.Error):  # what failed before counts more, and closing lets go of the file too
                    connection.execute(f"detach {quote(name)}")

    @contextmanager
    def writing(self, attach: Mapping[str, Path] | None = None) -> Iterator["duckdb.DuckDBPyConnection"]:
        """One transaction: committed at the end, undone when anything fails. Keep it short.

        Raises WarehouseError when the file is damaged or the commit fails, as on a full disk, and LockedError when
        others hold the file.
        `attach`: further DuckDB files to read from, by name.
        """
        with self.gate.writing(), self._failures_told(), self._transaction(attach or {}) as connection:
            yield connection

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        """What is wrong with the file or its disk is said as such; errors of the SQL stay as they are."""
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            told = self._failure_of(error)
            if told is None:
                raise
            raise told from None

    def _failure_of(self, error: "duckdb.Error") -> WarehouseError | None:
        if tells_of_damage(str(error)):
            return damaged(self.path, str(error))
        return self._not_written(error) if tells_of_full_disk(error) else None

    def _not_written(self, error: "duckdb.Error") -> WarehouseError:
        return WarehouseError(
            f"cannot write {self.path}; nothing of it was published",
            why=str(error),
            hint="if the disk is full, free some space (`hnm gc`, `hnm clean`); `hnm run` goes on from here",
        )

    @contextmanager
    def _transaction(self, attach: Mapping[str, Path]) -> Iterator["duckdb.DuckDBPyConnection"]:
        import duckdb

        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.exists():
            self._create()
        connection = self._open(read_only=False, patience=WRITE_PATIENCE_SECONDS)
        try:
            for name, path in attach.items():
                _attach(connection, name, path)
            connection.begin()
            try:
                yield connection
            except BaseException:
                with suppress(duckdb.Error):  # closing undoes it too, and what failed counts more
                    connection.rollback()
                raise
            self._commit(connection)
        finally:
            connection.close()

    def _commit(self, connection: "duckdb.DuckDBPyConnection") -> None:
        import duckdb

        try:
            connection.commit()
        except duckdb.Error as error:
            raise self._failure_of(error) or self._not_written(error) from None

    def _open(self, read_only: bool, patience: float) -> "duckdb.DuckDBPyConnection":
        import duckdb

        return _patiently(self.path, patience, lambda: duckdb.connect(str(self.path), read_only=read_only))

    def _create(self) -> None:
        """An empty database; it appears under its name when it is whole, so that a kill cannot leave half a file."""
        import duckdb

        new = self.path.with_name(f"{self.path.name}.new")
        new.unlink(missing_ok=True)
        duckdb.connect(str(new)).close()
        log = log_of(self.path)
        if log.exists():  # of a database that was moved away: DuckDB would refuse the new one because of it
            log.replace(log.with_name(f"{log.name}.old"))
        new.replace(self.path)


def is_interrupt(error: BaseException) -> bool:
    """Is this what DuckDB makes of Ctrl-C while a query runs?"""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def _attach(connection: "duckdb.DuckDBPyConnection", name: str, path: Path) -> None:
    attach = f"attach {literal(str(path))} as {quote(name)} (read_only)"
    _patiently(path, READ_PATIENCE_SECONDS, lambda: connection.execute(attach))


def _patiently(path: Path, patience: float, open_it: Callable[[], Opened]) -> Opened:
    """Open a file, in as many attempts as it takes until others let go of it.

    Raises LockedError when they do not within so many seconds, WarehouseError when it cannot be opened at all.
    """
    import duckdb

    deadline = time.monotonic() + patience
    wait = 0.02
    while True:
        try:
            return open_it()
        except duckdb.Error as error:
            message = str(error)
            if "could not set lock" not in message.lower():
                raise cannot_open(path, message) from None
            if time.monotonic() > deadline:
                raise _locked(path, message) from None
            time.sleep(wait)
            wait = min(wait * 2, 0.5)


def _locked(path: Path, message: str) -> LockedError:
    holder = _HOLDER.search(message)
    who = f"process {holder['pid']} ({Path(holder['program']).name})" if holder else "another process"
    return LockedError(
        f"{who} holds {path}", why="DuckDB lets one process write a file at a time", hint="end it, or wait"
    )

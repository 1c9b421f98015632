"""What goes wrong outside of a stage's own logic, in words; and the log that keeps tracebacks."""

import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hnm.errors import HnmError, StageError
from hnm.masking import masked
from hnm.warehouse.damage import tells_of_damage
from hnm.warehouse.database import is_interrupt
from hnm.warehouse.full_disk import tells_of_full_disk
from hnm.warehouse.lance_table import rebuild_hint, unreadable_stream

LANCE_PREFIX = "lance "
"""What stands before a node's name where SQL reads its Lance table."""

_NO_MEMORY = ("out of memory", "cannot allocate", "could not allocate", "failed to allocate")


@contextmanager
def system_failures(stage: str) -> Iterator[None]:
    """Failures of disk, memory, DuckDB and Lance become a StageError; nothing of the stage is published."""
    import duckdb

    try:
        yield
    except HnmError:
        raise
    except RuntimeError as error:
        if is_interrupt(error):
            raise KeyboardInterrupt from None
        raise
    except (OSError, MemoryError, duckdb.Error) as error:
        words = str(error) or type(error).__name__
        raise StageError(
            f"{stage}: {words.splitlines()[0]}", why=_why(error, words), hint=hint_for(error, words)
        ) from error


def log_path(root: Path, invocation_id: str) -> Path:
    """The log file of a run."""
    return root / "target" / "logs" / f"{invocation_id}.log"


def log_failure(root: Path, invocation_id: str, error: HnmError, secrets: Iterable[str] = ()) -> None:
    """Keep the traceback of what caused an error in the run's log, without secrets, and let the error say where."""
    if error.__cause__ is None:
        return
    path = log_path(root, invocation_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            trace = "".join(traceback.format_exception(error.__cause__))
            log.write(f"{error}\n\n{masked(trace, secrets)}\n")
    except OSError:
        return  # a full disk must not hide the failure itself
    error.hint = error.hint or f"the whole traceback is in {path.relative_to(root)}"


def _why(error: BaseException, words: str) -> str | None:
    rest = "\n".join(words.splitlines()[1:]).strip()
    return rest or type(error).__name__


def hint_for(error: BaseException, words: str, inputs: Mapping[str, str] | None = None) -> str | None:
    """What helps when the disk or the memory is full or a table is damaged; None for other failures.

    `inputs`: from the names under which the stage knows its inputs to the nodes they are.
    """
    damaged = unreadable_stream(words)
    if damaged:
        return rebuild_hint((inputs or {}).get(damaged, damaged.removeprefix(LANCE_PREFIX)))
    if tells_of_damage(words):
        return "the warehouse's hnm.duckdb is damaged: move it away, and `hnm run` builds everything anew"
    if tells_of_full_disk(error):
        return "free some disk space (`hnm clean`, old versions), then `hnm run` goes on from here"
    if isinstance(error, MemoryError) or any(word in words.lower() for word in _NO_MEMORY):
        return "raise `memory_limit` under `settings:` in project.yml, or lower the stage's batch size"
    return None

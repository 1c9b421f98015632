"""A digest of the code that a Python transform runs: its module and every project module that this imports.

Taken from the syntax tree without docstrings, so that comments, layout and documentation never make a stage stale.
"""

import hashlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

from hnm.engine.module_facts import module_facts
from hnm.transform import Transform

PACKAGE = Path(__file__).parent.parent
# The interface between tool and transforms: it changes with the tool and says nothing of what a transform computes.
_INTERFACE = frozenset({"hnm", "hnm.errors", "hnm.transform", "hnm.context", "hnm.inputs", "hnm.sqltext"})


def code_digest(transform: Transform[Any], root: Path) -> str:
    """SHA-256 (16 hex digits) over the transform's module and all it imports from the project at `root` or from hnm; so
    over the module in which the project finds it, where that is another one.


    Where the project and hnm are installed does not matter. Raises ProjectError for a module that cannot be parsed.
    """
    start = [Path(inspect.getsourcefile(transform.function) or "")]
    digest = hashlib.sha256(transform.name.encode())
    if transform.found_as:
        digest.update(transform.found_as.encode())
        named = _module_file(transform.found_as.partition(":")[0], root)
        start += [named] if named else []
    for entry in sorted(
        path.relative_to(_base(path, root)).as_posix().encode() + bytes.fromhex(module_facts(path).digest)
        for path in _reachable(start, root)
    ):
        digest.update(entry)
    return digest.hexdigest()[:16]


def _reachable(start: list[Path], root: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        base = _base(path, root)
        waiting += _packages(path, base)
        for name in _imports(path, base):
            imported = _module_file(name, root) if name not in _INTERFACE else None
            if imported:
                waiting.append(imported)
    return found


def _base(path: Path, root: Path) -> Path:
    """The folder in which the names of modules begin."""
    if path.is_relative_to(PACKAGE):
        return PACKAGE.parent
    return root if path.is_relative_to(root) else path.parent


def _packages(path: Path, base: Path) -> list[Path]:
    """The `__init__.py` files that run before a module does."""
    folders = [base / folder for folder in path.relative_to(base).parents if folder.name]
    candidates = [folder / "__init__.py" for folder in folders if folder != PACKAGE]
    return [candidate for candidate in candidates if candidate.is_file()]


@cache
def _module_file(name: str, root: Path) -> Path | None:
    """The file of a module of the project or of hnm; None for what is installed: that counts by its version."""
    parts = name.split(".")
    base = PACKAGE.parent if parts[0] == "hnm" else root
    for candidate in (base.joinpath(*parts).with_suffix(".py"), base.joinpath(*parts, "__init__.py")):
        if candidate.is_file():
            return candidate
    return None


@cache
def _imports(path: Path, base: Path) -> frozenset[str]:
    """Every module name that stands in an import anywhere in the file; `from a import b` counts as a and a.b."""
    names: set[str] = set()
    for one in module_facts(path).imports:
        package = path.relative_to(base).parts[: -one.level] if one.level else ()
        module = ".".join((*package, *([one.module] if one.module else [])))
        names.update((module, *(f"{module}.{name}".strip(".") for name in one.names)))
    return frozenset(names)

"""Find the transform that a YAML file names: a built-in, or `package.module:function` of the project."""

import importlib
import importlib.util
import pkgutil
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from hnm.errors import Location, ProjectError, nearest
from hnm.transform import Transform

Family = Literal["transforms", "readers"]

_PACKAGE = Path(__file__).parent.parent
_there_before: dict[Path, frozenset[str]] = {}
"""The project whose modules are looked up now, and the modules that were loaded before its own ones."""


@cache
def builtin_names(family: Family) -> tuple[str, ...]:
    """The names of the built-in transforms or readers: the public files of their folder."""
    package = importlib.import_module(f"hnm.{family}")
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def find_transform(name: str, family: Family, root: Path, where: Location) -> Transform[Any]:
    """The transform called `name`.

    Raises ProjectError when there is none, when its module fails to import, or when it is not a transform.
    """
    if ":" in name:
        return _from_project(name, root, where)
    known = builtin_names(family)
    if name not in known:
        what = "transform" if family == "transforms" else "format"
        raise ProjectError(
            f"unknown {what} {name!r}",
            where=where,
            hint=nearest(name, known) or f"built in: {', '.join(known)}; or name your own as package.module:function",
        )
    found: Transform[Any] = getattr(importlib.import_module(f"hnm.{family}.{name}"), name)
    return found


def source_tables(reader: Transform[Any]) -> tuple[str, ...]:
    """The tables that a source has when its YAML lists none: `TABLES` of the reader's module."""
    module = sys.modules[reader.function.__module__]
    return tuple(getattr(module, "TABLES", ()))


def _from_project(name: str, root: Path, where: Location) -> Transform[Any]:
    module_name, _, function = name.partition(":")
    _find_modules_from(root)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the project's own code may raise anything while it is imported
        raise ProjectError(
            f"cannot import {module_name!r}",
            where=where,
            why=f"{type(error).__name__}: {error}",
            hint=f"modules are looked up from {root}",
        ) from error
    found = getattr(module, function, None)
    if not isinstance(found, Transform):
        transforms = [key for key, value in vars(module).items() if isinstance(value, Transform)]
        raise ProjectError(
            f"{name!r} is not a transform",
            where=where,
            why="no such name in the module" if found is None else "it does not carry the @transform decorator",
            hint=nearest(function, transforms) or "decorate the function with hnm.transform.transform",
        )
    # One that a factory made, or that comes from another module, depends on the module that names it as well.
    defined = f"{found.function.__module__}:{found.name}"
    return found if defined == name else replace(found, found_as=name)


def _find_modules_from(root: Path) -> None:
    """Look modules up from a project's root first, and forget the last project's, whose names may be the same."""
    if root in _there_before:
        return
    for other, before in _there_before.items():
        sys.path.remove(str(other))
        for name in [name for name in sys.modules if name not in before]:
            file = Path(getattr(sys.modules[name], "__file__", None) or "/")
            installed = file.is_relative_to(sys.prefix) or file.is_relative_to(_PACKAGE)
            if file.is_relative_to(other) and not installed:
                del sys.modules[name]
    _there_before.clear()
    _there_before[root] = frozenset(sys.modules)
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()

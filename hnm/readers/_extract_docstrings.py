"""Child process of `api_reference`: imports one package and writes the docstrings of its public objects as JSON lines.

    python -P _extract_docstrings.py PACKAGE OUTPUT

Lines of OUTPUT are `{"name", "module", "kind", "signature", "doc"}`, sorted by name; the last line is
`{"modules": imported, "failed_modules": {name: reason}}`. Nothing beyond the imports is executed. It uses the standard
library only and is started by path, so that the package under study is the only foreign code in the process.
"""

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

STDLIB = "python"
"""Stands for the standard library among the package names."""

# Modules that do something when imported, need a display, or are test suites and launchers rather than an interface.
SKIPPED_MODULES = frozenset(
    (
        *("antigravity", "this", "idlelib", "lib2to3", "distutils", "ensurepip", "pydoc_data", "setup", "f2py"),
        *("tkinter", "turtle", "turtledemo", "externals", "vendored", "benchmarks", "conftest", "test", "tests"),
    )
)
Member = tuple[str, str, object]  # kind, qualified name, object
CONSTANTS = (type(None), bool, int, float, complex, str, bytes)
DEFAULT_CHARACTERS = 40
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
FOREIGN_FAILURES = (Exception, SystemExit)
"""What the import or the inspection of foreign code may raise: anything. It is counted, and the walk goes on."""


def is_public(name: str) -> bool:
    return not name.startswith("_") and name not in SKIPPED_MODULES


def import_modules(package: str, failed: dict[str, str]) -> Iterator[ModuleType]:
    """The package and its public submodules that can be imported, breadth first; the others go to `failed` with why."""
    waiting = sorted(filter(is_public, sys.stdlib_module_names)) if package == STDLIB else [package]
    while waiting:
        name = waiting.pop(0)
        try:
            module = importlib.import_module(name)
            found = pkgutil.iter_modules(getattr(module, "__path__", ()), f"{name}.")
            waiting += sorted(info.name for info in found if is_public(info.name.rpartition(".")[2]))
        except FOREIGN_FAILURES as error:
            failed[name] = f"{type(error).__name__}: {error}"
        else:
            yield module


def belongs(item: object, listed: bool, module: ModuleType, package: str) -> bool:
    """Whether `item` of `module` is the package's own and not an import from elsewhere.

    `listed`: the module names it in `__all__`; then the standard library is believed, and elsewhere an object that does
    not say where it comes from.
    """
    owner = getattr(item, "__module__", None)
    if not isinstance(owner, str):
        return listed
    if package == STDLIB:
        return listed or owner.lstrip("_") == module.__name__
    return owner.partition(".")[0] == package


def module_members(module: ModuleType, package: str) -> Iterator[Member]:
    """The module itself, its public functions and classes, and the public members of those classes."""
    yield "module", module.__name__, module
    listed = hasattr(module, "__all__")
    for name in sorted(filter(is_public, map(str, module.__all__ if listed else vars(module)))):
        item = getattr(module, name, None)
        if isinstance(item, ModuleType) or not callable(item) or not belongs(item, listed, module, package):
            continue
        kind = "class" if inspect.isclass(item) else "function"
        yield kind, f"{module.__name__}.{name}", item
        if inspect.isclass(item):
            yield from class_members(item, f"{module.__name__}.{name}")


def is_private_base(base: type) -> bool:
    return any(part.startswith("_") for part in (*base.__module__.split("."), base.__name__))


def class_members(owner: type, qualified: str) -> Iterator[Member]:
    """Public methods and properties that the class defines, or inherits from private bases."""
    bases = [owner, *(base for base in owner.__mro__[1:-1] if is_private_base(base))]
    seen: set[str] = set()
    for base in bases:
        for name, raw in sorted(vars(base).items()):
            if not is_public(name) or name in seen:
                continue
            seen.add(name)
            item = getattr(raw, "__func__", raw)  # what a classmethod or staticmethod wraps
            if isinstance(item, property):
                yield "property", f"{qualified}.{name}", item.fget or item
            elif inspect.isgetsetdescriptor(item):
                yield "property", f"{qualified}.{name}", item
            elif inspect.isroutine(item) or hasattr(item, "__wrapped__"):
                yield "method", f"{qualified}.{name}", item


def docstring(item: object) -> str | None:
    """The object's own docstring, not one inherited from its class; without what a UTF-8 table cannot hold."""
    doc = getattr(item, "__doc__", None)
    if not isinstance(doc, str) or (not isinstance(item, type) and doc == type(item).__doc__):
        return None
    storable = doc.replace("\0", "").encode("utf-8", "replace").decode()
    return ADDRESS.sub("", inspect.cleandoc(storable))


class Elided:
    """Stands for a default value that is not shown."""

    def __repr__(self) -> str:
        return "..."


def shown(default: object) -> object:
    """A short constant as it is. Other values are elided: they may differ from run to run, or hold the environment."""
    constants = default if type(default) is tuple else (default,)
    plain = all(type(constant) in CONSTANTS for constant in constants)
    return default if plain and len(repr(default)) <= DEFAULT_CHARACTERS else Elided()


def signature(kind: str, item: object) -> str | None:
    """The parameter list as text; None when Python does not know it."""
    if kind in ("module", "property"):
        return None
    try:
        known = inspect.signature(item)  # type: ignore[arg-type]  # not callable: TypeError, below
        parameters = [
            parameter if parameter.default is parameter.empty else parameter.replace(default=shown(parameter.default))
            for parameter in known.parameters.values()
        ]
        return ADDRESS.sub("", str(known.replace(parameters=parameters)))
    except FOREIGN_FAILURES:
        return None


def facts(kind: str, name: str, item: object) -> dict[str, str | None] | None:
    try:
        doc = docstring(item)
        owner = getattr(item, "__module__", None)
    except FOREIGN_FAILURES:
        return None
    if not doc:
        return None
    module = owner if isinstance(owner, str) else name.rpartition(".")[0]
    return {"name": name, "module": module, "kind": kind, "signature": signature(kind, item), "doc": doc}


def canonical(name: str) -> tuple[int, int, str]:
    """Order of preference among the names of one object: fewest parts, then shortest, then alphabetical."""
    return name.count("."), len(name), name


def main(package: str, output: Path) -> None:
    failed: dict[str, str] = {}
    modules = list(import_modules(package, failed))
    named: dict[int, Member] = {}
    for module in modules:
        for kind, name, item in module_members(module, package):
            known = named.get(id(item))
            if known is None or canonical(name) < canonical(known[1]):
                named[id(item)] = (kind, name, item)
    rows = [facts(kind, name, item) for kind, name, item in sorted(named.values(), key=lambda member: member[1])]
    summary = {"modules": len(modules), "failed_modules": failed}
    with output.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in (*filter(None, rows), summary))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

"""A digest of the code that a Python transform runs: its module and every project module that this imports.

Taken from the syntax tree without docstrings, so that comments, layout and documentation never make a stage stale.
"""

import ast
import hashlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

from hnm.transform import Transform

PACKAGE = Path(__file__).parent.parent
# The interface between tool and transforms: it changes with the tool and says nothing of what a transform computes.
_INTERFACE = frozenset({"hnm", "hnm.errors", "hnm.transform", "hnm.context", "hnm.inputs", "hnm.sqltext"})


def code_digest(transform: Transform[Any], root: Path) -> str:
    """SHA-256 (16 hex digits) over the transform's module and all it imports from the project at `root` or from hnm."""
    start = Path(inspect.getsourcefile(transform.function) or "")
    digest = hashlib.sha256(transform.name.encode())
    for path in sorted(_reachable(start, (PACKAGE.parent, root))):
        digest.update(path.name.encode() + _tree_digest(path))
    return digest.hexdigest()[:16]


def _reachable(start: Path, roots: tuple[Path, ...]) -> set[Path]:
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in _imports(path):
            imported = _module_file(name, roots) if name not in _INTERFACE else None
            if imported:
                waiting.append(imported)
    return found


def _module_file(name: str, roots: tuple[Path, ...]) -> Path | None:
    """The file of a module of the project or of hnm; None for what is installed from elsewhere."""
    parts = name.split(".")
    for root in roots:
        if root == PACKAGE.parent and parts[0] != "hnm":
            continue  # hnm's neighbours in site-packages are other people's packages: their versions count instead
        for candidate in (root.joinpath(*parts).with_suffix(".py"), root.joinpath(*parts, "__init__.py")):
            if candidate.is_file():
                return candidate
    return None


@cache
def _tree(path: Path) -> ast.Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return tree


@cache
def _tree_digest(path: Path) -> bytes:
    return hashlib.sha256(ast.dump(_tree(path)).encode()).digest()


@cache
def _imports(path: Path) -> frozenset[str]:
    """Every module name that stands in an import anywhere in the file; `from a import b` counts as a and a.b."""
    names: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # relative: resolved against the file's own package
                package = ".".join(path.with_suffix("").parts[-node.level - 1 : -node.level])
                base = f"{package}.{base}".strip(".")
            names.update((base, *(f"{base}.{alias.name}" for alias in node.names)))
    return frozenset(names)

"""What the syntax tree of a Python file says of its code, kept between invocations: parsing a hundred files takes a
third of the time of a plan.

Docstrings, comments and layout do not count. What is kept is data, by the digest of the file's bytes.
"""

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hnm.errors import Location, ProjectError
from hnm.user_cache import keep, read_kept


@dataclass(frozen=True)
class Import:
    """`from MODULE import NAMES`, or `import MODULE`. `level`: how many dots stand before the module's name."""

    level: int
    module: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class ModuleFacts:
    """`digest`: SHA-256 of the code, in hex. `imports`: all that stand anywhere in the file."""

    digest: str
    imports: tuple[Import, ...]


@cache
def module_facts(path: Path) -> ModuleFacts:
    """Raises ProjectError for a file that cannot be parsed."""
    source = path.read_bytes()
    key = sys.version.encode() + source  # another version of Python may see another tree
    facts = _from_kept(read_kept("modules", key))
    if facts is None:
        facts = _parsed(path, source)
        keep("modules", key, asdict(facts))
    return facts


def _parsed(path: Path, source: bytes) -> ModuleFacts:
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ProjectError(f"{path.name}: {error.msg}", where=Location(path, error.lineno, error.offset)) from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[_has_docstring(node.body) :]
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return ModuleFacts(digest, tuple(sorted(set(_imports(tree)), key=str)))


def _has_docstring(body: list[ast.stmt]) -> bool:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *_]:
            return True
    return False


def _imports(tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield Import(node.level, node.module or "", tuple(alias.name for alias in node.names))


def _from_kept(kept: Any) -> ModuleFacts | None:
    """None when nothing is kept, or what is kept is damaged."""
    try:
        imports = (Import(one["level"], one["module"], tuple(one["names"])) for one in kept["imports"])
        return ModuleFacts(kept["digest"], tuple(imports))
    except (KeyError, TypeError):
        return None

"""Content digests of the files that sources read; a file whose size and time are as before is not read again."""

import os
from collections.abc import Container, Iterable, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any, cast

from hnm.engine.fingerprint import Components, declaring
from hnm.errors import SourceError
from hnm.masking import masked
from hnm.project.manifest import Call, Node
from hnm.warehouse.digest import file_sha256

FACT = "files"


def file_facts(node: Node, root: Path, known: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Per file that `node` reads: size in bytes, modification time in ns, SHA-256.

    Files are called by their paths without secrets, because these names are kept and shown.
    `known`: the facts of the node's last build.
    Raises SourceError (from the reader) when a file is missing, and when its name is no text that can be stored;
    ProjectError when the transform cannot name its files.
    """
    if not isinstance(node.work, Call) or node.work.transform.files is None:
        return {}
    before = known.get(FACT, {})
    facts: dict[str, dict[str, Any]] = {}
    with declaring(node, "files"):
        paths = [root / path for path in _several(node.work.transform.files(node.work.params, root))]
    for path in paths:
        _check_name(path)
        name = _free(masked(os.path.relpath(path, root), node.env_read.values()), facts)
        if not path.exists():
            what = f"{node.name}: a file that its transform reads is missing: {name}"
            raise SourceError(what, where=node.where, hint="make it, or leave it out of what `files` gives")
        status = path.stat()
        old = before.get(name)
        if old and (old["size"], old["mtime_ns"]) == (status.st_size, status.st_mtime_ns):
            facts[name] = old
        else:
            facts[name] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": file_sha256(path)}
    return facts


def _several(paths: Any) -> Iterable[Path]:
    if isinstance(paths, str | Path):
        raise TypeError(f"a list of paths is needed, not {paths!r}")
    return cast(Iterable[Path], paths)


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        what = f"the name of a file is not valid UTF-8: {os.fsencode(path)!r}"
        raise SourceError(what, hint="rename the file, or name others in the source's `path`") from None


def _free(name: str, taken: Container[str]) -> str:
    """The name, or one like it where two files differ in nothing but secrets."""
    return next(found for found in chain([name], (f"{name} {number}" for number in count(2))) if found not in taken)


def file_components(facts: Mapping[str, Mapping[str, Any]]) -> Components:
    return {f"file {name}": str(fact["sha256"]) for name, fact in facts.items()}

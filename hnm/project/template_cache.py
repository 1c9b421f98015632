"""Compiled templates, kept between invocations: compiling takes longer than all else that a plan does.

They are code, so they stand in the user's own cache folder, never in a project that somebody else may have packed.
"""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import CodeType

import jinja2
from jinja2 import nodes
from jinja2.bccache import Bucket, FileSystemBytecodeCache

from hnm.user_cache import cache_folder, keep, read_kept


def compiled(environment: jinja2.Environment, text: str, path: Path) -> CodeType:
    """The code of the template `text` that stands in `path`. Raises jinja2.TemplateSyntaxError."""
    cache = _cache()
    # One file for each text, as a YAML file holds several.
    bucket = cache.get_bucket(environment, cache.get_source_checksum(text), str(path), text) if cache else None
    if bucket and bucket.code:
        return bucket.code
    code = environment.compile(text, name=path.name, filename=str(path))
    if cache and bucket:
        bucket.code = code
        with suppress(OSError):  # a full disk only costs time
            cache.set_bucket(bucket)
    return code


def macros(environment: jinja2.Environment, text: str, path: Path) -> list[tuple[str, int]]:
    """The macros that a file defines, with their lines. Raises jinja2.TemplateSyntaxError."""
    key = f"{jinja2.__version__} {text}".encode()
    with suppress(TypeError, ValueError):  # nothing is kept, or something else
        return [(str(name), int(line)) for name, line in read_kept("macros", key)]
    tree = environment.parse(text, filename=str(path))
    found = [(node.name, node.lineno) for node in tree.body if isinstance(node, nodes.Macro)]
    keep("macros", key, found)
    return found


class _Cache(FileSystemBytecodeCache):
    def load_bytecode(self, bucket: Bucket) -> None:
        """As if there were none when the file is damaged: it is written anew then."""
        with suppress(Exception):
            super().load_bytecode(bucket)


@lru_cache
def _cache() -> _Cache | None:
    folder = cache_folder("templates")
    return _Cache(str(folder), f"%s.jinja-{jinja2.__version__}") if folder else None

"""Formats of exports, one file each; a file that begins with an underscore is a helper. See `_format.py`."""

import pkgutil
from importlib import import_module

from hnm.dataset.formats._format import Format
from hnm.errors import QueryError, nearest


def format_names() -> list[str]:
    """The names of all formats, as the command line takes them."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return sorted(name.replace("_", "-") for name in names)


def find_format(name: str) -> Format:
    """The format of that name. Raises QueryError with the nearest one."""
    if name not in format_names():
        raise QueryError(
            f"unknown format {name!r}", hint=nearest(name, format_names()) or f"one of: {', '.join(format_names())}"
        )
    found: Format = import_module(f"{__name__}.{name.replace('-', '_')}").FORMAT
    return found

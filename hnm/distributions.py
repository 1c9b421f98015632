"""What installed distributions say of themselves; `importlib.metadata` would parse their READMEs as well."""

from email.message import Message
from email.parser import HeaderParser
from functools import cache
from importlib.metadata import distribution


@cache
def _headers(name: str) -> Message:
    found = distribution(name)
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    return HeaderParser().parsestr(text.partition("\n\n")[0])  # the parser would go through the README line by line


def version(name: str) -> str:
    """The installed version. Raises PackageNotFoundError."""
    return str(_headers(name)["Version"])


@cache
def requires(name: str) -> tuple[str, ...]:
    """The requirements, those of extras too, as they stand in the metadata. Raises PackageNotFoundError."""
    found = distribution(name)
    if found.read_text("METADATA") is None:  # an egg keeps them in a file of its own
        return tuple(found.requires or ())
    return tuple(map(str, _headers(name).get_all("Requires-Dist", ())))

"""`ref(stage)` and `source(source, table)` as text in YAML."""

import re

from hnm.errors import Location, ProjectError

_REF = re.compile(r"^\s*ref\(\s*['\"]?(\w+)['\"]?\s*\)\s*$")
_SOURCE = re.compile(r"^\s*source\(\s*['\"]?(\w+)['\"]?\s*,\s*['\"]?(\w+)['\"]?\s*\)\s*$")


def referenced(text: str, where: Location) -> str:
    """The name of the node that is meant. Raises ProjectError when the text is no reference."""
    if match := _REF.match(text):
        return match[1]
    if match := _SOURCE.match(text):
        return f"{match[1]}.{match[2]}"
    raise ProjectError(f"{text!r} is no input", where=where, hint="write ref(stage) or source(source, table)")

"""`ref(stage)` and `source(source, table)` as text in YAML, and the inputs that they are given to."""

import re
from collections.abc import Mapping

from hnm.errors import Location, ProjectError, nearest
from hnm.project.yaml_file import KeyPath, YamlFile

_REF = re.compile(r"^\s*ref\(\s*['\"]?(\w+)['\"]?\s*\)\s*$")
_SOURCE = re.compile(r"^\s*source\(\s*['\"]?(\w+)['\"]?\s*,\s*['\"]?(\w+)['\"]?\s*\)\s*$")


def referenced(text: str, where: Location) -> str:
    """The name of the node that is meant. Raises ProjectError when the text is no reference."""
    if match := _REF.match(text):
        return match[1]
    if match := _SOURCE.match(text):
        return f"{match[1]}.{match[2]}"
    raise ProjectError(f"{text!r} is no input", where=where, hint="write ref(stage) or source(source, table)")


def check_inputs(
    stage: str,
    given: Mapping[str, str],
    required: tuple[str, ...],
    optional: tuple[str, ...],
    file: YamlFile,
    keys: KeyPath,
) -> None:
    """A stage gives its transform all that it needs, and nothing that it does not know. Raises ProjectError."""
    for name in required:
        if name not in given:
            what = f"{stage}: the input {name!r} is missing"
            raise ProjectError(what, where=file.place(keys), hint=f"add `{name}: ref(...)`")
    for name in given:
        if name not in (*required, *optional):
            known = (*required, *optional)
            raise ProjectError(
                f"{stage}: unknown input {name!r}",
                where=file.place((*keys, name)),
                hint=nearest(name, known) or f"inputs: {', '.join(known)}",
            )

"""`ref(stage)`, `ref(stage@version)` and `source(source, table)` in YAML and SQL, and the inputs they are given to.

A stage that reads `triplets@v1` is pinned to that version: no other stage builds what it reads.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from hnm.errors import Location, ProjectError, nearest
from hnm.project.yaml_file import KeyPath, YamlFile

_REF = re.compile(r"^\s*ref\(\s*['\"]?(\w+(?:@[\w.-]+)?)['\"]?\s*\)\s*$")
_SOURCE = re.compile(r"^\s*source\(\s*['\"]?(\w+)['\"]?\s*,\s*['\"]?(\w+)['\"]?\s*\)\s*$")


def referenced(text: str, where: Location) -> str:
    """The node that is meant, with the version if there is one. Raises ProjectError when the text is no reference."""
    if match := _REF.match(text):
        return match[1]
    if match := _SOURCE.match(text):
        return f"{match[1]}.{match[2]}"
    raise ProjectError(f"{text!r} is no input", where=where, hint="write ref(stage) or source(source, table)")


def is_pinned(reference: str) -> bool:
    """Does it name a version of a stage, as `triplets@v1`?"""
    return "@" in reference


def stage_of(reference: str) -> str:
    """The node that is read, whichever version of it."""
    return reference.partition("@")[0]


def input_names(references: Iterable[str]) -> dict[str, str]:
    """What each input of a stage is called in its fingerprint.

    It is the node's name alone: to give a name to the version that was read changes nothing. Where versions of one
    stage are read side by side, they are called as they are referred to.
    """
    read = tuple(dict.fromkeys(references))
    versions = Counter(map(stage_of, read))
    return {reference: stage_of(reference) if versions[stage_of(reference)] == 1 else reference for reference in read}


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
                hint=nearest(name, known) or f"inputs: {', '.join(known) or 'none'}",
            )

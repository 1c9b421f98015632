"""Where the user set what a template refuses: in project.yml, a pipeline or on the command line. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hnm.errors import Location
from hnm.project.yaml_file import KeyPath, YamlFile

# The file in which each var that counts is set, and where in it.
VarPlaces = Mapping[str, tuple[YamlFile, KeyPath]]

_COMMAND_LINE = YamlFile(Path("--vars"), None)
_NAMING = ("name", "rule")  # keys that errors mention beside the one they are about


def places_below(file: YamlFile, keys: KeyPath, names: Iterable[str]) -> dict[str, tuple[YamlFile, KeyPath]]:
    """Of the vars `names`, which stand below `keys`."""
    return {name: (file, (*keys, name)) for name in names}


def given_places(given: Iterable[str]) -> VarPlaces:
    """Of the vars given on the command line."""
    return dict.fromkeys(given, (_COMMAND_LINE, ()))


def place_of_refused(
    message: str, calls: Iterable[tuple[Any, ...]], variables: Mapping[str, Any], places: VarPlaces
) -> Location | None:
    """Where the value stands that `message` is about, or None when that is not known.

    It is the var that the message begins with; or what a macro was called with, the innermost of `calls` first, when
    that is a part of a var: of a list of settings the one that the message names, and of settings the key.
    """
    words = re.findall(r"\w+", message)
    if words and words[0] in variables:
        return _place((words[0],), places)
    parts = {id(part): keys for keys, part in _parts(variables) if isinstance(part, list | dict)}
    for arguments in calls:
        for argument in arguments:
            if id(argument) in parts:
                return _place((*parts[id(argument)], *_named(argument, message, words)), places)
    return None


def place_of_ending(text: str, variables: Mapping[str, Any], places: VarPlaces) -> Location | None:
    """Where the longest value stands that `text`, such as `rule_top`, ends with."""
    found = [(len(part), keys) for keys, part in _parts(variables) if isinstance(part, str) and text.endswith(part)]
    return _place(max(found, key=lambda entry: entry[0])[1], places) if found else None


def _place(keys: KeyPath, places: VarPlaces) -> Location | None:
    if keys[0] not in places:
        return None
    file, above = places[str(keys[0])]
    return file.place((*above, *keys[1:]))


def _parts(value: Any, keys: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Everything inside of lists and mappings, with its path."""
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield (*keys, key), part
        yield from _parts(part, (*keys, key))


def _named(argument: Any, message: str, words: Iterable[str]) -> KeyPath:
    """What `message` names inside of `argument`."""
    if isinstance(argument, list):
        items = [(index, item) for index, item in enumerate(argument) if isinstance(item, dict)]
        named = [entry for entry in items if f"'{entry[1].get('name')}'" in message]
        # Of two with the same name, the later one is too many.
        return (named[-1][0], *_named(named[-1][1], message, words)) if named else ()
    return next(((word,) for word in words if word in argument and word not in _NAMING), ())

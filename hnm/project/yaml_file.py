"""A YAML file with the place of every value, so that an error can name the line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hnm.errors import Location, ProjectError

KeyPath = tuple[str | int, ...]

MOST_VALUES = 100_000


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # chosen at run time
    """YAML's safe loader; a value that cannot be read, such as the date 2020-13-45, is an error with a place."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None


@dataclass
class YamlFile:
    """`data` as plain Python values; `places` maps the path of keys to every key and list item to its place."""

    path: Path
    data: Any
    places: dict[KeyPath, Location] = field(default_factory=dict)

    def place(self, keys: KeyPath) -> Location:
        """The place of `keys`, or of the closest parent that stands in the file."""
        for length in range(len(keys), -1, -1):
            if keys[:length] in self.places:
                return self.places[keys[:length]]
        return Location(self.path)


def read_yaml(path: Path) -> YamlFile:
    """Read one YAML document.

    Raises ProjectError for a missing file, text that is not UTF-8, broken YAML, keys that stand twice, and aliases that
    contain themselves or multiply without end.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProjectError(f"{path.name} is missing", where=Location(path), hint="`hnm init DIR` makes one") from None
    except OSError as error:
        raise ProjectError(f"cannot read {path.name}", where=Location(path), why=error.strerror) from None
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path.name} is not UTF-8 text", where=Location(path), why=str(error)) from None
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        file = YamlFile(path, None)
        if node is not None:
            for keys, child in _walk(node, (), path):
                file.places[keys] = _location(path, child.start_mark)
                if len(file.places) > MOST_VALUES:
                    raise ProjectError(f"{path.name} is too large", where=file.places[keys[:1]])
            file.data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ProjectError(
            f"{path.name} is not valid YAML: {error.problem or error.context}",
            where=_location(path, mark) if mark else Location(path),
            why=error.context,
        ) from None
    except yaml.YAMLError as error:
        raise ProjectError(f"{path.name} is not valid YAML: {error}", where=Location(path)) from None
    except RecursionError:
        raise ProjectError(
            f"{path.name} is nested too deep", where=Location(path), hint="does an alias (*name) contain itself?"
        ) from None
    finally:
        loader.dispose()
    return file


def _location(path: Path, mark: yaml.Mark) -> Location:
    return Location(path, mark.line + 1, mark.column + 1)


def _walk(node: yaml.Node, keys: KeyPath, path: Path) -> Iterator[tuple[KeyPath, yaml.Node]]:
    """Every key (at its own place) and list item below a node."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise ProjectError(f"the key {name!r} stands twice", where=_location(path, key.start_mark))
            seen.add(name)
            yield (*keys, name), key
            yield from _walk(value, (*keys, name), path)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*keys, index), item
            yield from _walk(item, (*keys, index), path)

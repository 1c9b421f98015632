"""The tags of a Lance dataset, read from their files: where one of these is damaged, Lance itself lists none.

To look at them takes no manifest either, so they are known however damaged the dataset is.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hnm.errors import Location, WarehouseError

_SUFFIX = ".json"


class DamagedTagError(WarehouseError):
    """A file that holds a tag, or the folder of them, cannot be read."""


@dataclass(frozen=True)
class Tags:
    """`versions`: the version that each tag names. `damaged`: files that cannot be read, and why."""

    versions: dict[str, int]
    damaged: dict[Path, str]


def read_tags(path: Path) -> Tags:
    """All tags of the dataset at `path`, and what is damaged of them."""
    versions, damaged = {}, {}
    for file in _files(path):
        try:
            versions[file.name.removesuffix(_SUFFIX)] = _version(file)
        except (OSError, ValueError) as error:
            damaged[file] = str(error).splitlines()[0]
    return Tags(versions, damaged)


def tags_of(path: Path) -> dict[str, int]:
    """The version that each tag of the dataset at `path` names. Raises DamagedTagError where one cannot be read."""
    tags = read_tags(path)
    for file, why in tags.damaged.items():
        stage = path.stem
        if file.suffix != _SUFFIX:
            what = f"the tags of {stage} cannot be read: their folder is not one"
            hint = f"move it away, then give the tags again: `hnm dataset tag NAME {stage}@NUMBER`"
        else:
            name = file.name.removesuffix(_SUFFIX)
            what = f"the tag {name} of {stage} is damaged"
            hint = f"remove its file, then give the tag again: `hnm dataset tag {name} {stage}@NUMBER`"
        raise DamagedTagError(what, where=Location(file), why=why, hint=hint)
    return tags.versions


def _files(path: Path) -> Iterator[Path]:
    """What should be the file of a tag each, or what stands in the way of their folder."""
    for folder in (path / "_refs", path / "_refs" / "tags"):
        if not folder.exists():
            return
        if not folder.is_dir():
            yield folder
            return
    yield from sorted(folder.glob(f"*{_SUFFIX}"))


def _version(file: Path) -> int:
    """The version that a tag's file names. Raises OSError or ValueError where Lance would not take it."""
    content = json.loads(file.read_text(encoding="utf-8"))
    numbers = [content.get(name) for name in ("version", "manifestSize")] if isinstance(content, dict) else [None]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("it does not say which version it names")
    return int(content["version"])

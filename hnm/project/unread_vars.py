"""Vars that nothing reads, and that are called almost like one that something does: misspelt, and without effect."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from hnm.errors import ProjectError
from hnm.project.manifest import Node
from hnm.project.templating import SHIPPED_MACROS
from hnm.project.var_places import VarPlaces
from hnm.project.yaml_file import KeyPath, YamlFile

_READ = re.compile(r"""\bvar\(\s*['"](\w+)['"]""")
_SUFFIXES = (".sql", ".yml", ".yaml")
ALIKE = 0.8  # of a whole name, 1 being equal


def refuse_misspelt_vars(places: Iterable[VarPlaces], nodes: Iterable[Node], folders: Iterable[Path]) -> None:
    """Raises ProjectError. `places`: where each var is set, for the project, a stage or a unit test. `folders`: of
    templates, which may read further vars than the nodes did, under other circumstances. A var that is called like none
    of them may serve a purpose of its own.
    """
    read = {name for node in nodes for name in node.vars_read}
    given: dict[str, tuple[YamlFile, KeyPath]] = {}  # each name once: every stage has the project's vars as well
    for found in places:
        for name, place in found.items():
            if name not in read:
                given.setdefault(name, place)
    if not given:
        return
    templates = (
        path for folder in (*folders, SHIPPED_MACROS) for path in folder.rglob("*") if path.suffix in _SUFFIXES
    )
    known = read.union(*(_READ.findall(path.read_text(encoding="utf-8", errors="replace")) for path in templates))
    for name, (file, keys) in given.items():
        alike = get_close_matches(name, known, n=1, cutoff=ALIKE) if name not in known else ()
        if alike:
            raise ProjectError(
                f"nothing reads the var {name!r}", where=file.place(keys), hint=f"did you mean {alike[0]!r}?"
            )

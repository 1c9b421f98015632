"""Vars that nothing reads, and that are called almost like one that something does: misspelt, and without effect."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from hnm.errors import Location, ProjectError

_READ = re.compile(r"""\bvar\(\s*['"](\w+)['"]""")
ALIKE = 0.8  # of a whole name, 1 being equal


def refuse_misspelt_vars(given: Mapping[str, Location], read: set[str], templates: Iterable[Path]) -> None:
    """Raises ProjectError. `given`: where each var is set; `read`: vars that were read; `templates`: files that may
    read further ones under other circumstances. A var that is like none of these may serve a purpose of its own.
    """
    if not given.keys() - read:
        return
    known = read.union(*(_READ.findall(path.read_text(encoding="utf-8", errors="replace")) for path in templates))
    for name, where in given.items():
        alike = get_close_matches(name, known, n=1, cutoff=ALIKE) if name not in known else ()
        if alike:
            raise ProjectError(f"nothing reads the var {name!r}", where=where, hint=f"did you mean {alike[0]!r}?")

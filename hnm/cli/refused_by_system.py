"""What the operating system refuses a command, as an error: folders that are read-only, missing rights, a full disk."""

import errno
import os
import re
import shutil
from pathlib import Path

from hnm.errors import HnmError, Location
from hnm.warehouse.full_disk import ERRNOS as FULL_DISK

HINTS = {
    errno.EROFS: "make it writable, or work in a copy of the project's folder",
    errno.EACCES: "give yourself the rights to it, or work in a copy of the project's folder",
    errno.EPERM: "give yourself the rights to it, or work in a copy of the project's folder",
    errno.ENOSPC: "free some disk space (`hnm clean`, `hnm gc`)",
    errno.EDQUOT: "free some disk space (`hnm clean`, `hnm gc`)",
    errno.EFBIG: "let files be larger (`ulimit -f`)",
    errno.ENOTDIR: "a file stands where a folder must: move it away",
    errno.EEXIST: "a file stands where a folder must: move it away",
    errno.EISDIR: "a folder stands where a file must: move it away",
    errno.ENAMETOOLONG: "name something shorter",
}
_NUMBER = re.compile(r"\[Errno (\d+)\]")


def refused_by_system(error: OSError) -> HnmError | None:
    """The error to show, or None for one that hnm should have foreseen, as a file that is not there."""
    if isinstance(error, shutil.Error):
        error = _first_of(error) or error
    place = error.filename2 or error.filename  # where a file is copied or renamed to, if it is
    if error.errno not in HINTS or (place is None and error.errno not in FULL_DISK):
        return None
    what = "cannot write a file" if place is None else "cannot read or write"
    where = None if place is None else Location(Path(str(place)))
    return HnmError(what, where=where, why=error.strerror, hint=HINTS[error.errno])


def _first_of(error: shutil.Error) -> OSError | None:
    """The first of the errors that a copied folder met, of which the library keeps only the words."""
    found = error.args[0] if error.args else None
    if not isinstance(found, list) or not found or not (number := _NUMBER.match(str(found[0][2]))):
        return None
    source, target, _ = found[0]
    return OSError(int(number[1]), os.strerror(int(number[1])), source, None, target)

"""What the operating system refuses a command, as an error: folders that are read-only, missing rights, a full disk."""

import errno
from pathlib import Path

from hnm.errors import HnmError, Location

_HINTS = {
    errno.EROFS: "make it writable, or work in a copy of the project's folder",
    errno.EACCES: "give yourself the rights to it, or work in a copy of the project's folder",
    errno.EPERM: "give yourself the rights to it, or work in a copy of the project's folder",
    errno.ENOSPC: "free some disk space (`hnm clean`, `hnm gc`)",
    errno.EDQUOT: "free some disk space (`hnm clean`, `hnm gc`)",
    errno.ENOTDIR: "a file stands where a folder must: move it away",
    errno.EEXIST: "a file stands where a folder must: move it away",
    errno.ENAMETOOLONG: "name something shorter",
}


def refused_by_system(error: OSError) -> HnmError | None:
    """The error to show, or None for one that hnm should have foreseen, as a file that is not there."""
    if error.errno not in _HINTS or error.filename is None:
        return None
    where = Location(Path(str(error.filename)))
    return HnmError("cannot read or write", where=where, why=error.strerror, hint=_HINTS[error.errno])

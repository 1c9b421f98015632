"""What tells of a disk that is full, whoever says it: the system, DuckDB or Lance. Pure."""

import errno

ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WORDS = ("no space left", "disk quota", "file too large", "could not write")


def tells_of_full_disk(error: BaseException) -> bool:
    """Did this fail because something could not be written any more?"""
    words = str(error).lower()
    return getattr(error, "errno", None) in ERRNOS or any(word in words for word in _WORDS)

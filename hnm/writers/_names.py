"""Names of files that come from data."""

from hnm.errors import HnmError


def file_name(split: str) -> str:
    """`split` itself, once it is known to be the name of a file on any system. Raises HnmError when it is not."""
    if not split.strip() or split.startswith(".") or not split.isprintable() or set(split) & set('/\\:*?"<>|'):
        raise HnmError(f"split {split!r} cannot be the name of a file", hint="call splits train, dev and test")
    return split

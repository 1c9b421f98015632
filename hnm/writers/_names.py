"""Names of files that come from data."""

from hnm.errors import HnmError


def file_name(name: str, what: str = "split") -> str:
    """`name` itself, once it is known to be the name of a file on any system. Raises HnmError when it is not.

    `what` has that name: a split, or a strategy.
    """
    if not name.strip() or name.startswith(".") or not name.isprintable() or set(name) & set('/\\:*?"<>|'):
        hint = "call splits train, dev and test" if what == "split" else f"call a {what} by letters, digits, _ and -"
        raise HnmError(f"{what} {name!r} cannot be the name of a file", hint=hint)
    return name

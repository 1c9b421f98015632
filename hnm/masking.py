"""Keep secrets out of what is shown or kept: values that a project read with `env_var()` become `***`. Pure."""

from collections.abc import Iterable
from pathlib import Path

from hnm.errors import HnmError, Location

MASK = "***"
SHORTEST = 4
"""Shorter values are no secrets, and replacing every `1` would leave no text to read."""


def masked(text: str, secrets: Iterable[str]) -> str:
    """`text` without the secrets, the longest first; also as they look inside quotes with escapes."""
    for secret in sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True):
        for shown in (secret, repr(secret)[1:-1]):
            text = text.replace(shown, MASK)
    return text


def masked_place(place: Location, secrets: Iterable[str]) -> Location:
    """The place without the secrets that its path holds."""
    return Location(Path(masked(str(place.path), secrets)), place.line, place.column)


def mask_error(error: HnmError, secrets: Iterable[str]) -> None:
    """Take the secrets out of an error's words and place, before anyone sees it."""
    hidden = tuple(secrets)
    error.what = masked(error.what, hidden)
    error.where = error.where and masked_place(error.where, hidden)
    error.why = error.why and masked(error.why, hidden)
    error.hint = error.hint and masked(error.hint, hidden)

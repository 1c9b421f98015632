"""How one value of a row from outside becomes a value of ours.

Every function takes a value as a file gives it (a CSV cell, a JSON value, a Parquet cell, or None) and raises
BadValueError with a reason that reads on after the column's name: "grade 'x' is not an integer".
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite
from reprlib import repr as short
from uuid import UUID

INT32 = 2**31
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_EPOCH = re.compile(r"-?[0-9]{9,}(\.[0-9]+)?")
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_VERDICTS = {"relevant": 1, "not_relevant": 0}
_BOOLEANS = dict.fromkeys(("0", "0.0", "false", "f", "no", "n"), False) | dict.fromkeys(
    ("1", "1.0", "true", "t", "yes", "y"), True
)
_SPLITS = {"train": "train", "dev": "dev", "test": "test"} | dict.fromkeys(("validation", "valid", "val"), "dev")


class BadValueError(ValueError):
    """A value, or a whole line, that cannot be used; the message says why."""


def missing(value: object) -> bool:
    """Whether a cell is empty: null, an empty string, or NaN."""
    return value is None or value == "" or value != value


def clean(text: str) -> str:
    """`text` itself, once it is known to be storable: no NUL, no half of a surrogate pair, no byte outside UTF-8."""
    if "\0" in text:
        raise BadValueError("holds a NUL byte")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadValueError("is not valid Unicode (UTF-8)") from None
    return text


def identifier(value: object) -> str:
    """An id: a string that is not blank, or a whole number or UUID, which becomes a string.

    Databases export whole numbers as decimals without places.
    """
    if (isinstance(value, int) and not isinstance(value, bool)) or isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        return str(value)
    if missing(value):
        raise BadValueError("is missing")
    if not isinstance(value, str):
        # The value itself is left out of the message: it may be a session's id.
        why = " (pandas makes them of whole numbers where some are missing)" if isinstance(value, float) else ""
        raise BadValueError(f"is of type {type(value).__name__}, neither a string nor a whole number{why}")
    if not value.strip():
        raise BadValueError("is blank")
    return clean(value)


def session(value: object, salt: str) -> str:
    """A session's id as 32 hexadecimal digits: the first 16 bytes of SHA-256 over `salt` and the id."""
    return hashlib.sha256((salt + identifier(value)).encode()).hexdigest()[:32]


def text(value: object) -> str:
    """A string; an empty cell is the empty string."""
    if missing(value):
        return ""
    if not isinstance(value, str):
        raise BadValueError(f"is of type {type(value).__name__}, not a string")
    return clean(value)


def integer(value: object) -> int:
    """A whole number of 32 bits; 2.0 counts as one."""
    number = real(value)
    if not number.is_integer():
        raise BadValueError(f"{short(value)} is not an integer")
    if not -INT32 <= number < INT32:
        raise BadValueError(f"{short(value)} does not fit into 32 bits")
    return int(number)


def grade(value: object) -> int:
    """A judgment: a whole number, or a verdict in words, `relevant` (1) or `not_relevant` (0)."""
    return _VERDICTS[value] if isinstance(value, str) and value in _VERDICTS else integer(value)


def split(value: object) -> str:
    """`train`, `dev` or `test` in any case; `dev` is also called `validation`."""
    named = text(value)
    known = _SPLITS.get(named.strip().lower())
    if known is None:
        raise BadValueError(f"{short(named)} is none of train, dev (or validation) and test")
    return known


def position(value: object) -> int:
    """A rank in a list: a whole number from 1."""
    number = integer(value)
    if number < 1:
        raise BadValueError(f"{number} is below 1")
    return number


def real(value: object) -> float:
    """A finite number."""
    if missing(value):
        raise BadValueError("is missing")
    is_text = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
    if not is_text and (isinstance(value, bool) or not isinstance(value, int | float | Decimal)):
        raise BadValueError(f"{short(value)} is not a number")
    try:
        number = float(value)  # type: ignore[arg-type]  # a numeric string or a number by the lines above
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise BadValueError(f"{short(value)} is not a finite number")
    return number


def seconds(value: object) -> float:
    """A duration of at least 0 seconds."""
    number = real(value)
    if number < 0:
        raise BadValueError(f"{short(value)} is negative")
    return number


def boolean(value: object) -> bool:
    """True or false, given as such, as 0 or 1, or in words."""
    if missing(value):
        raise BadValueError("is missing")
    if isinstance(value, int | float | Decimal) and value in (0, 1):
        return bool(value)
    known = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise BadValueError(f"{short(value)} is neither true nor false")
    return known


def timestamp(value: object) -> datetime:
    """A moment in UTC, without zone: from a timestamp, ISO 8601, or seconds since 1970 (9 or more digits in text).

    What names no zone is taken for UTC. A number of 8 digits is a day, as it is in text: 20240506, and not August 1970.
    """
    try:
        moment = _moment(value)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError, OSError):  # 0001-01-01T00:00+14:00 is no moment in UTC
        raise BadValueError(f"{short(value)} is neither a time in ISO 8601 nor seconds since 1970") from None


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, str) and not _EPOCH.fullmatch(value.strip()):
        return datetime.fromisoformat(value.strip())
    number = real(value)
    if number.is_integer() and 10**7 <= number < 10**8:
        return datetime.fromisoformat(str(int(number)))
    return datetime.fromtimestamp(number, UTC)


def optional(parse: Callable[[object], object]) -> Callable[[object], object]:
    """`parse` for a column that may be empty: an empty cell is None."""
    return lambda value: None if missing(value) else parse(value)


def metadata(own: object, others: Mapping[str, object]) -> str:
    """JSON text, keys sorted: the row's own metadata together with the columns that have no other place.

    `own` may be an object, JSON text of one, or any other value, which is then kept under the key "metadata".
    """
    fields = {**others, **_fields(own)}
    try:
        written = json.dumps(
            {name: None if value != value else value for name, value in fields.items()},
            ensure_ascii=False,
            sort_keys=True,
            allow_nan=False,
            default=str,
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise BadValueError(f"cannot be written as JSON: {error}") from None
    if _ESCAPED_NUL.search(written):
        raise BadValueError("holds a NUL byte")
    return clean(written)


def _fields(own: object) -> Mapping[str, object]:
    if missing(own):
        return {}
    if isinstance(own, str):
        try:
            return json_object(own)
        except BadValueError:
            return {"metadata": own}
    return own if isinstance(own, Mapping) else {"metadata": own}


def json_object(line: str) -> dict[str, object]:
    """The JSON object that a line holds."""
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BadValueError(f"broken JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise BadValueError(f"broken JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadValueError("not a JSON object")
    return value


def _no_constant(name: str) -> object:
    raise BadValueError(f"{name} is not JSON")

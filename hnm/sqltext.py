"""Small helpers for SQL text: quoting, and removing what must not count as a change."""

import re

# What must stay as it is comes first, so that `--` inside a string is not taken for a comment. A comment that holds
# Jinja stays too: Jinja runs inside SQL comments.
_JINJA = r"\{\{.*?\}\}|\{%.*?%\}"
_KEPT = "|".join(
    (
        _JINJA,
        r"(?<!\w)\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$",
        r"(?<!\w)[eE]'(?:\\.|''|[^'\\])*'",
        rf"'(?:{_JINJA}|''|[^'])*+'",
        r'"(?:""|[^"])*"',
        r"--[^\n]*\{[{%][^\n]*\n?",
        r"/\*(?:(?!\*/).)*\{[{%].*?\*/",
    )
)
_DROPPED = r"(?:\s|--(?:(?!\{[{%])[^\n])*(?:\n|\Z)|/\*(?:(?!\*/|\{[{%]).)*\*/|\{#.*?#\})+"
_TOKEN = re.compile(f"(?P<kept>{_KEPT})|{_DROPPED}", re.DOTALL)


def quote(identifier: str) -> str:
    """A SQL identifier in double quotes, with inner quotes doubled."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A SQL string literal in single quotes, with inner quotes doubled."""
    return "'" + text.replace("'", "''") + "'"


def without_comments(sql: str) -> str:
    """`sql` (a Jinja template or plain SQL) without comments and with runs of white space folded to one space.

    Two texts with the same result mean the same, so comments and layout never make a stage stale.
    """
    return _TOKEN.sub(lambda match: match["kept"] or " ", sql).strip()


def split_name(name: str) -> tuple[str, str]:
    """Schema and table of what is read. Only a source has a schema: the dot of `triplets@v1.0` is part of a tag."""
    schema, _, table = ("", "", name) if "@" in name else name.rpartition(".")
    return schema, table

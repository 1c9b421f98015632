"""Small helpers for SQL text: quoting, and removing what must not count as a change."""

import re

# Literals are matched first so that `--` inside a string is not taken for a comment.
_COMMENT_OR_LITERAL = re.compile(
    r"(?P<literal>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")"
    r"|(?P<comment>--[^\n]*|/\*.*?\*/|\{#.*?#\})"
    r"|(?P<space>\s+)",
    re.DOTALL,
)


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

    def keep(match: re.Match[str]) -> str:
        return match.group("literal") or " "

    return re.sub(r"\s+$|^\s+", "", re.sub(r" {2,}", " ", _COMMENT_OR_LITERAL.sub(keep, sql)))

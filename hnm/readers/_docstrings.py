"""Reading a docstring: what is its signature, its summary sentence, and the rest. Pure functions over text.

Conventions understood: PEP 257, numpydoc, Google style, and the first lines of C functions (`abs(x, /)`,
`D.get(k[,d]) -> D[k] if k in D`), which are signatures and not summaries.
"""

import re
from dataclasses import dataclass

_SIGNATURE = re.compile(r"[\w.]*\s?\((?:[^()]|\([^()]*\))*\)")
_ARROW = re.compile(r"\s*(?:->|--|=>|:)\s*")
_MARKUP_LINE = re.compile(r"(>>>|\.\. |[-*+•] |\d+[.)] |[|+=~#<@\-]{2}|:\w+[^`]*:(\s|$))")
_UNDERLINE = re.compile(r"[=\-~^*#]{3,}$")
_SECTION = re.compile(
    r"(args|arguments|attributes|examples?|inputs?|keyword arguments|notes?|parameters|raises|references|returns|"
    r"see also|shape|usage|warnings?|yields)\s*:?$",
    re.IGNORECASE,
)
# A full stop ends a sentence when a capital, a quote or nothing follows, and no abbreviation or initial precedes.
_SENTENCE_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bcf)(?<!\bFig)(?<!\bEq)(?<!\bal)(?<!\bno)(?<!\b[A-Z])[.!?][\"')\]]*(?=\s+[^a-z\s]|$)"
)
_NOT_PROSE = re.compile(r"->|--|::|\s=\s|[{}|]|\[,|^[^\w\"'(`*:]")
_ROLE = re.compile(r":[a-zA-Z][\w:+.-]*:`~?([^`<]*?)(?:\s*<[^`>]*>)?`")
_LITERAL = re.compile(r"`+([^`]+)`+_{0,2}")


@dataclass(frozen=True)
class Docstring:
    """`signature`: the docstring's own, if it begins with one. `summary`: None when there is no such sentence."""

    signature: str | None
    summary: str | None
    body: str


def parse(doc: str) -> Docstring:
    """Split a docstring (dedented, as `inspect.cleandoc` leaves it) into signature, summary sentence and the rest."""
    signature, doc = _take_signatures(doc)
    lines = doc.split("\n")
    start = _prose_start(lines)
    if start is None:
        return Docstring(signature, None, doc.strip())
    end = next((i for i in range(start, len(lines)) if _ends_paragraph(lines[i].strip())), len(lines))
    sentence, rest = _first_sentence(" ".join(line.strip() for line in lines[start:end]))
    if _NOT_PROSE.search(sentence) or sentence.count("(") != sentence.count(")"):  # code, a grammar, half a signature
        return Docstring(signature, None, doc.strip())
    before, after = "\n".join(lines[:start]), "\n".join(lines[end:])
    body = re.sub(r"\n{3,}", "\n\n", "\n".join((before, rest, after))).strip()
    return Docstring(signature, plain(sentence), body)


def plain(text: str) -> str:
    """`text` on one line, without reStructuredText markup: "See :func:`~a.b`" becomes "See a.b"."""
    return re.sub(r"\s+", " ", _LITERAL.sub(r"\1", _ROLE.sub(r"\1", text))).strip()


def normal(text: str) -> str:
    """`text` for comparison: case folded, words separated by one space, no punctuation."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _take_signatures(doc: str) -> tuple[str | None, str]:
    """The first signature among the leading lines, and the docstring after all of them."""
    first = None
    while match := _SIGNATURE.match(doc):
        line, _, following = doc[match.end() :].partition("\n")
        arrow = _ARROW.match(line)
        if line.strip() and not arrow:
            break  # prose such as "foo(x) returns its argument."
        first = first or match.group()
        doc = (_prose_after_type(line[arrow.end() :]) if arrow else "") + "\n" + following
        doc = doc.lstrip().removeprefix("--\n").lstrip()  # C code marks the end of a signature with two dashes
    return first, doc


def _prose_after_type(text: str) -> str:
    """What follows the return type on a signature's line: "None.  Remove all items" gives "Remove all items"."""
    kind, _, prose = text.partition(".  " if ".  " in text else ". ")
    return prose if kind and len(kind.split()) <= 4 else ""


def _prose_start(lines: list[str]) -> int | None:
    """The line where the first paragraph of prose begins: directives, titles and blank lines before it are passed over.

    None when a list, a table, an example or a section comes first, for then nothing sums the object up.
    """
    i = 0
    while i < len(lines):
        line = lines[i].strip()
        if line.startswith(".. ") or not line:
            i = _after_block(lines, i)
        elif _UNDERLINE.match(line):  # the upper line of a boxed title, or a rule
            i += 1
        elif i + 1 < len(lines) and _UNDERLINE.match(lines[i + 1].strip()):
            if _SECTION.match(line):
                return None
            i += 2
        else:
            return None if _MARKUP_LINE.match(line) or _SECTION.match(line) else i
    return None


def _after_block(lines: list[str], start: int) -> int:
    """The line after a blank line or a directive with its indented content."""
    i = start + 1
    while lines[start].strip() and i < len(lines) and (not lines[i].strip() or lines[i].startswith(" ")):
        i += 1
    return i


def _ends_paragraph(line: str) -> bool:
    return not line or bool(_MARKUP_LINE.match(line))


def _first_sentence(paragraph: str) -> tuple[str, str]:
    """The first sentence of a paragraph, and the remainder."""
    match = _SENTENCE_END.search(paragraph)
    return (paragraph[: match.end()], paragraph[match.end() :].strip()) if match else (paragraph, "")

"""From READMEs to a known-item search collection: sections to be found by their headings. Pure functions over text.

Markdown and reStructuredText are understood as far as that needs: headings, links, images, HTML, code fences.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hnm.readers._docstrings import normal

_FENCE = re.compile(r"\s*(```|~~~)")
_MARKDOWN_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_UNDERLINE = re.compile(r"([=\-~^*#\"+])\1{2,}\s*$")
_WORD = re.compile(r"[^\W\d_]{2,}$")
_REMOVED = (
    (re.compile(r"<!--.*?-->", re.DOTALL), " "),
    (re.compile(r"`([^`<]*?)\s*<[^`>]*>`_+"), r"\1"),  # a link in reStructuredText
    (re.compile(r"</?[a-zA-Z][^>]*>"), " "),
    (re.compile(r"\[?!\[[^\]]*\](\([^)]*\)|\[[^\]]*\])(\](\([^)]*\)|\[[^\]]*\]))?"), " "),  # an image, or a badge
    (re.compile(r"\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])"), r"\1"),  # a link in Markdown
    (re.compile(r"^\s*(\.\. .*|:[\w-]+:.*|\[[^\]]+\]:.*)$", re.MULTILINE), ""),  # directives and targets of links
    (re.compile(r"https?://\S+"), " "),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True)
class Readme:
    """What a distribution says of itself."""

    name: str
    summary: str
    text: str


@dataclass(frozen=True)
class Section:
    """One section of a README without its heading; `summary` when it is the first one, which the summary stands for."""

    doc_id: str
    package: str
    heading: str
    text: str
    summary: str


@dataclass(frozen=True)
class Question:
    """A heading or a summary, and the one section that it stands for."""

    query_id: str
    text: str
    doc_id: str


def sections(readmes: Iterable[Readme], min_words: int) -> list[Section]:
    """Sections of at least `min_words` words, one per text, in the order of the names and of the texts."""
    kept: dict[str, Section] = {}
    for readme in sorted(readmes, key=lambda readme: readme.name.casefold()):
        summary = readme.summary.strip()
        first = summary
        for place, (heading, text) in enumerate(_divided(_plain(readme.text))):
            if first:
                text = "\n".join(line for line in text.split("\n") if normal(summary) not in normal(line)).strip()
            if len(normal(text).split()) < min_words:
                continue
            doc_id = f"{readme.name}#{place}"
            kept.setdefault(normal(text), Section(doc_id, readme.name, heading, text, first))
            first = ""
    return list(kept.values())


def questions(corpus: list[Section], min_words: int) -> list[Question]:
    """Headings and summaries of at least `min_words` words of letters that stand for exactly one section.

    Left out are those that several sections have, and those that their own section repeats.
    """
    found = list(_asked(corpus))
    frequency = Counter(normal(question.text) for question, _ in found)
    return [
        question
        for question, section in found
        if sum(bool(_WORD.match(word)) for word in normal(question.text).split()) >= min_words
        and frequency[normal(question.text)] == 1
        and normal(question.text) not in normal(section.text)
    ]


def _asked(corpus: list[Section]) -> Iterator[tuple[Question, Section]]:
    """The summary for a first section, the heading for any other."""
    for section in corpus:
        if section.summary:
            yield Question(f"summary:{section.doc_id}", section.summary, section.doc_id), section
        elif section.heading:
            yield Question(f"heading:{section.doc_id}", section.heading, section.doc_id), section


def _plain(text: str) -> str:
    """`text` without images, HTML, targets of links and directives."""
    for pattern, replacement in _REMOVED:
        text = pattern.sub(replacement, text)
    return text


def _divided(text: str) -> Iterator[tuple[str, str]]:
    """(heading, text) of every section; before the first heading, the heading is empty."""
    lines = text.split("\n")
    heading, body, fenced = "", list[str](), False
    for place, line in enumerate(lines):
        fenced ^= bool(_FENCE.match(line))
        below = lines[place + 1] if place + 1 < len(lines) else ""
        marked = None if fenced else _MARKDOWN_HEADING.match(line)
        underlined = not fenced and bool(line.strip()) and bool(_UNDERLINE.match(below)) and not _UNDERLINE.match(line)
        if marked or underlined:
            yield heading, _joined(body)
            heading, body = re.sub(r"[*`]", "", marked[1] if marked else line).strip(), []
        elif not _UNDERLINE.match(line):
            body.append(line)
    yield heading, _joined(body)


def _joined(lines: list[str]) -> str:
    return re.sub(r"\n\s*\n+", "\n\n", "\n".join(lines)).strip()

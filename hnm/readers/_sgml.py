"""TREC's SGML: documents and topics that stand between tags in one long file."""

import re
from collections.abc import Iterable, Iterator
from html import unescape
from html.parser import HTMLParser

from hnm.readers._read import Unreadable
from hnm.readers._values import BadValueError

_ONLY_TAGS = re.compile(rb"\s*(<[^<>]*>\s*)*")
_TOPIC_FIELD = re.compile(r"<(num|title)>\s*(?:number:|topic:)?(.*?)(?=</?[a-z]|\Z)", re.DOTALL | re.IGNORECASE)

# Where the text inside a tag goes. What no tag claims is the body, which counts when a document has no <TEXT>.
_ZONES = {
    "docno": "docno",
    "title": "title",
    "headline": "title",
    "head": "title",
    "hl": "title",
    "text": "text",
    "body": "body",
    "dochdr": "none",
    "script": "none",
    "style": "none",
}
_INLINE = {"a", "b", "big", "code", "em", "font", "i", "small", "span", "strong", "sub", "sup", "tt", "u"}


def blocks(lines: Iterable[tuple[int, bytes]], tag: str) -> Iterator[tuple[int, bytes | Unreadable]]:
    """(line where it begins, content with its tags) of every `<tag> … </tag>`.

    A block that is never closed, and text outside of blocks that is not mere tags, cannot be read.
    Memory: one block.
    """
    start = re.compile(rf"\s*<{tag}[\s>]".encode(), re.IGNORECASE)
    after_end = re.compile(rf"(?<=</{tag}>)".encode(), re.IGNORECASE)
    begun, parts = 0, list[bytes]()
    for number, line in lines:
        for piece in after_end.split(line):
            if start.match(piece + b"\n"):
                if parts:
                    yield begun, Unreadable(f"<{tag}> is never closed", parts[0])
                begun, parts = number, [piece]
            elif parts:
                parts.append(piece)
            elif not _ONLY_TAGS.fullmatch(piece):
                yield number, Unreadable(f"text outside of <{tag}>", piece)
            if parts and piece.lower().endswith(f"</{tag}>".lower().encode()):
                yield begun, b"\n".join(parts)
                parts = []
    if parts:
        yield begun, Unreadable(f"<{tag}> is never closed", parts[0])


def topic(block: str) -> dict[str, object]:
    """The number and the title of a topic."""
    fields = {name.lower(): " ".join(unescape(content).split()) for name, content in _TOPIC_FIELD.findall(block)}
    if "num" not in fields:
        raise BadValueError("topic without <num>")
    return {"query_id": fields["num"], "text": fields.get("title")}


def document(block: str) -> dict[str, object]:
    """Id, title and text of a document, white space folded. Without <TEXT>, all that has no other place is the text."""
    parser = _Document()
    parser.feed(block)
    parser.close()
    text = parser.zone("text") if "text" in parser.zones else parser.zone("body")
    return {"doc_id": parser.zone("docno"), "title": parser.zone("title"), "text": text}


class _Document(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.zones: dict[str, list[str]] = {"body": []}
        self._open: list[str] = []

    def zone(self, name: str) -> str:
        return " ".join("".join(self.zones.get(name, [])).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._separate(tag)
        if tag in _ZONES:
            self._open.append(tag)
            self.zones.setdefault(_ZONES[tag], [])

    def handle_endtag(self, tag: str) -> None:
        self._separate(tag)
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        zone = _ZONES[self._open[-1]] if self._open else "body"
        self.zones[zone].append(data)

    def _separate(self, tag: str) -> None:
        """Tags other than those within a line part the words around them."""
        if tag not in _INLINE:
            self.handle_data(" ")

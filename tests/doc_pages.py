"""The pages of the documentation as text: their sections, tables, code and anchors."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
EVERY_PAGE = [ROOT / "README.md", *PAGES]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def prose(path: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks in that language."""
    return [body for kind, body in FENCE.findall(text) if kind == language]


def sections(text: str) -> dict[str, str]:
    """By heading, what stands between it and the next one, without fenced blocks."""
    parts = re.split(r"^#+ (.*)$", FENCE.sub("", text), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table_rows(section: str) -> dict[str, str]:
    """The names in backticks in the first column of a section's tables, each with the text of the second column."""
    rows: dict[str, str] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        if len(cells) > 3:
            rows |= dict.fromkeys(CODE.findall(cells[1]), cells[2])
    return rows


def missing(wanted: Iterable[str], section: str) -> list[str]:
    """Names that the section does not have in backticks."""
    return sorted(set(wanted) - set(CODE.findall(section)))


def links(path: Path) -> list[str]:
    """Targets of the links to other places of the repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(path))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown viewer gives to headings: a title that comes again is numbered."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found

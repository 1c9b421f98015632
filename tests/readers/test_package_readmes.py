"""READMEs of installed distributions as a known-item search collection."""

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnm.errors import SourceError
from hnm.readers._docstrings import normal
from hnm.readers._readme import Readme, questions, sections
from hnm.readers.package_readmes import PackageReadmesParams, _identity, package_readmes

MARKDOWN = """
    # shelf [![CI](https://ci.example/badge.svg)](https://ci.example)

    <p align="center">Put books on shelves</p>
    Written for <b>librarians</b>, see [the manual](https://shelf.example/manual).

    ## How to sort the books ##

    Call `sort`. The order is that of the author.

    ```python
    # Not a heading, as it stands in code
    sort()
    ```

    ## Installation

    Use pip to install it.
"""
RST = """
    Lamp
    ====

    Lights the room, `like a lamp <https://lamp.example>`_ would do.

    Changing the bulb safely
    ------------------------

    .. warning:: switch it off first
    Take the old one out and put the new one in.

    Installation
    ------------

    Buy it in a shop.
"""
READMES = [
    Readme("shelf", "Put books on shelves", dedent(MARKDOWN)),
    Readme("Lamp", "Light for dark rooms", dedent(RST)),
]


def test_sections_of_markdown_and_restructuredtext():
    found = {section.doc_id: (section.heading, section.text) for section in sections(READMES, 1)}
    assert found == {
        "Lamp#1": ("Lamp", "Lights the room, like a lamp would do."),
        "Lamp#2": ("Changing the bulb safely", "Take the old one out and put the new one in."),
        "Lamp#3": ("Installation", "Buy it in a shop."),
        "shelf#1": ("shelf", "Written for librarians , see the manual."),
        "shelf#2": (
            "How to sort the books",
            "Call `sort`. The order is that of the author.\n\n"
            "```python\n# Not a heading, as it stands in code\nsort()\n```",
        ),
        "shelf#3": ("Installation", "Use pip to install it."),
    }


def test_headings_and_summaries_that_stand_for_one_section_are_queries():
    asked = {question.query_id: question.text for question in questions(sections(READMES, 1), 3)}
    assert asked == {
        "summary:Lamp#1": "Light for dark rooms",
        "heading:Lamp#2": "Changing the bulb safely",
        "summary:shelf#1": "Put books on shelves",
        "heading:shelf#2": "How to sort the books",
    }


def test_what_is_short_repeated_or_not_unique_is_left_out():
    assert [section.doc_id for section in sections(READMES, 9)] == ["Lamp#2", "shelf#2"]
    twice = [*READMES, Readme("zshelf", "Put books on shelves", READMES[0].text)]
    assert [section.package for section in sections(twice, 1)].count("zshelf") == 0  # the same texts
    telling = Readme("x", "", "# What is it for\n\nOne asks what is it for, and then?\n")
    assert questions(sections([telling], 1), 3) == []
    dated = Readme("x", "", "# 1.0.0 (2026-01-05) of\n\nFixed all.\n")
    assert questions(sections([dated], 1), 3) == []


@pytest.mark.parametrize("text", ["", "UNKNOWN", "# only a heading", "```\n# never closed", "====", "a\n====\n====\n"])
def test_odd_readmes(text):
    for section in sections([Readme("x", "", text)], 1):
        assert section.text


@given(st.text(alphabet="ab#=-`<>[]()!.:_ \n", max_size=200), st.text(alphabet="ab ", max_size=9))
def test_no_query_stands_in_its_own_document(text, summary):
    corpus = sections([Readme("x", summary, text), Readme("y", "", text[::-1])], 1)
    texts = {section.doc_id: section.text for section in corpus}
    assert len(texts) == len(corpus) == len({normal(text) for text in texts.values()})
    for question in questions(corpus, 1):
        assert normal(question.text) not in normal(texts[question.doc_id])


def test_the_tables_fit_together(read):
    tables = {name: read(package_readmes, table=name)[0].to_pylist() for name in ("corpus", "queries", "judgments")}
    documents = {row["doc_id"] for row in tables["corpus"]}
    assert len(documents) == len(tables["corpus"]) > 100
    assert {row["query_id"] for row in tables["queries"]} == {row["query_id"] for row in tables["judgments"]}
    assert {row["doc_id"] for row in tables["judgments"]} <= documents
    assert len(tables["queries"]) >= 60
    assert not any(row["title"] == "hnm" for row in tables["corpus"])


def test_some_distributions_alone(read):
    table, context = read(package_readmes, table="corpus", distributions=["NumPy", "not-installed"])
    assert set(table.column("title").to_pylist()) == {"numpy"}
    assert context.facts["distributions"] == 1


def test_nothing_to_read_is_an_error(read):
    with pytest.raises(SourceError, match="no README can be read"):
        read(package_readmes, table="corpus", distributions=["not-installed"])


def test_the_versions_of_what_is_read_are_its_identity():
    from importlib.metadata import version

    one = PackageReadmesParams(table="corpus", distributions=("NumPy",))
    assert _identity(one) == {"numpy": version("numpy")}
    every = _identity(PackageReadmesParams(table="queries"))
    assert {"numpy", "torch", "jinja2"} <= every.keys()
    assert not {"hnm", "ruff", "hypothesis"} & every.keys()  # of its tests and itself

"""Quoting, and what counts as the same SQL."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.sqltext import literal, quote, without_comments

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def duck():
    with duckdb.connect() as connection:
        yield connection


@given(name=TEXT)
@settings(deadline=None)
def test_a_quoted_identifier_names_exactly_that(duck, name):
    assert duck.sql(f"select 1 as {quote(name)}").to_arrow_table().schema.names == [name]


@given(text=TEXT)
@settings(deadline=None)
def test_a_literal_is_exactly_that_text(duck, text):
    assert duck.execute(f"select {literal(text)}").fetchall() == [(text,)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 1", "select   1\n"),
        ("select 1 -- why", "select 1"),
        ("select 1 -- don't", "select 1"),
        ("select /* two\nlines, 'quoted */ 1", "select 1"),
        ("{# a note, it's long #}select 1", "select 1"),
        ("select\n\t1,\n\t2", "select 1, 2"),
        ("select 1 -- a\n-- b\n, 2", "select 1 , 2"),
    ],
)
def test_comments_and_layout_do_not_count(one, other):
    assert without_comments(one) == without_comments(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 'a  b'", "select 'a b'"),
        ("select 'a\nb'", "select 'a b'"),
        ('select 1 as "a  b"', 'select 1 as "a b"'),
        ("select '-- x'", "select '-- y'"),
        ("select '/* x */'", "select '/* y */'"),
        ("select 'it''s -- x'", "select 'it''s -- y'"),
        (r"select e'it\'s -- x'", r"select e'it\'s -- y'"),
        ("select $$it's -- x$$", "select $$it's -- y$$"),
        ("select $t$ $$ -- x$t$", "select $t$ $$ -- y$t$"),
        ("select 1 -- 'a\n, 2", "select 1 -- 'a\n, 3"),
        ("-- {% set k = 5 %}\nselect {{ k }}", "-- {% set k = 6 %}\nselect {{ k }}"),
        ("/* {% set k = 5 %} */ select {{ k }}", "/* {% set k = 6 %} */ select {{ k }}"),
        ("-- {{ a() }}\nselect 1", "-- {{ a() }} select 1"),
        ("{{ f('a  b') }}", "{{ f('a b') }}"),
        ("select 1 2", "select 12"),
    ],
)
def test_all_else_counts(one, other):
    assert without_comments(one) != without_comments(other)


VALUES = ("'a  b'", "'--'", "'/*'", "'it''s'", "e'\\' -- '", "$$ ' -- $$", "1", "-2", "- 3", "(4\n)")
LAYOUT = ("", " ", "\n", "  \t", "/* ' */", "-- '\n", "--\n", "/*--*/")


def listed(strategy):
    return st.lists(
        st.tuples(st.sampled_from(LAYOUT), strategy, st.sampled_from(LAYOUT)).map("".join), min_size=1, max_size=6
    )


@given(items=listed(st.sampled_from(VALUES)))
@settings(deadline=None)
def test_what_is_left_means_the_same(duck, items):
    sql = f"select row({', '.join(items)})"
    assert duck.execute(without_comments(sql)).fetchall() == duck.execute(sql).fetchall()


@given(items=listed(st.sampled_from(VALUES)))
def test_taking_comments_out_twice_is_taking_them_out_once(items):
    once = without_comments(", ".join(items))
    assert without_comments(once) == once


def test_an_open_quote_before_much_jinja_takes_no_time():
    sql = "select 'open " + "{{ x }} " * 5000
    assert without_comments(sql) == sql.strip()

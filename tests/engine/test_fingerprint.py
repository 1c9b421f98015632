"""What a stage's output depends on, and how a change of it is put into words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnm.engine.fingerprint import (
    changed_components,
    changed_inputs,
    differences,
    digest,
    fingerprint,
    input_components,
    own_components,
    package_version,
    without_inputs,
)

COMPONENTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5)


def components(tiny, stage, **load):
    manifest = tiny.load(**load).manifest
    return own_components(manifest.nodes[stage], manifest)


# The fingerprint.


@given(given=COMPONENTS, order=st.randoms())
def test_the_order_of_components_does_not_matter(given, order):
    shuffled = list(given.items())
    order.shuffle(shuffled)
    assert fingerprint(dict(shuffled)) == fingerprint(given)


@given(one=COMPONENTS, other=COMPONENTS)
def test_equal_fingerprints_mean_equal_components(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (one == other)


def test_a_fingerprint_is_sha256_of_sorted_json():
    assert fingerprint({"b": "ü", "a": "1"}) == "8541c79abba044cbfd66a8d8619c9b94311d8124cbc7019faabb3ccb5373dd2e"


def test_noise_of_floating_point_is_no_part_of_a_change_in_words():
    assert differences({"var a": "[0.1]"}, {"var a": "[0.30000000000000004]"}) == ["var a [0.1] -> [0.3]"]
    assert differences({"var a": "0.3"}, {"var a": "0.30000000000000004"}) == ["var a 0.3 -> 0.30000000000000004"]


def test_inputs_stand_apart():
    own, inputs = {"sql": "x"}, input_components({"corpus": "v1", "s.t": "v2"})
    assert without_inputs(own | inputs) == own
    assert changed_inputs(own | inputs, own | inputs) == []
    other = input_components({"corpus": "v1", "s.t": "v3", "new": "v"})
    assert changed_inputs(own | inputs, own | other) == ["new", "s.t"]


# The components of a node.


def test_a_sql_stage(tiny):
    assert components(tiny, "long_documents").keys() == {"materialized", "sql", "compiled", "var least"}
    assert components(tiny, "long_documents")["var least"] == "2"
    assert components(tiny, "vectors")["unique_key"] == "doc_id"


def test_a_python_stage(tiny):
    found = components(tiny, "word_counts")
    assert found.keys() == {"materialized", "code", "params.lowercase", "as texts"}
    assert (found["params.lowercase"], found["as texts"]) == ("true", "documents")


def test_the_order_of_a_set_does_not_count(tiny):
    words = "frozenset[str] = frozenset(map(str, range(9)))"  # in an order that every process chooses anew
    tiny.edit("counting.py", "lowercase: bool = False", f"lowercase: bool = False; words: {words}")
    found = components(tiny, "word_counts")
    assert found["params.words"] == '["0", "1", "2", "3", "4", "5", "6", "7", "8"]'


def test_bytes_need_not_be_text(tiny):
    tiny.edit("counting.py", "lowercase: bool = False", r"lowercase: bool = False; mark: bytes = b'\xff'")
    assert components(tiny, "word_counts")["params.mark"] == '"_w=="'


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("select doc_id", "select  doc_id", False),
        ("select doc_id", "-- why\nselect doc_id", False),
        ("select doc_id", "{# why #}select doc_id", False),
        ("select doc_id", "select doc_id as id", True),
        ("words >=", "words >", True),
    ],
)
def test_sql_counts_without_comments_and_layout(tiny, old, new, changes):
    before = components(tiny, "long_documents")
    tiny.edit("sql/long_documents.sql", old, new)
    assert (components(tiny, "long_documents") != before) == changes


def test_only_vars_that_are_read_count(tiny):
    before = components(tiny, "long_documents")
    assert components(tiny, "long_documents", other=1) == before
    assert components(tiny, "long_documents", least=3) != before
    assert components(tiny, "documents", least=3) == components(tiny, "documents")


def test_macros_count_with_all_that_they_call(tiny):
    tiny.write("sql/macros/outer.sql", "{% macro outer() %}{{ inner() }}{% endmacro %}")
    tiny.write("sql/macros/inner.sql", "{% macro inner() %}1{% endmacro %}")
    tiny.write("sql/macros/unused.sql", "{% macro unused() %}1{% endmacro %}")
    tiny.write("sql/report.sql", "select {{ outer() }} as x")
    before = components(tiny, "report")
    assert {"macro outer", "macro inner"} <= before.keys()
    tiny.write("sql/macros/unused.sql", "{% macro unused() %}2{% endmacro %}")
    assert components(tiny, "report") == before
    tiny.write("sql/macros/inner.sql", "{% macro inner() %}1{% endmacro %} {# why #}")
    assert components(tiny, "report") == before
    tiny.write("sql/macros/inner.sql", "{% macro inner() %}2{% endmacro %}")
    assert changed_components(before, components(tiny, "report")) == ["macro inner"]


def test_layout_counts_where_jinja_puts_it_into_a_string(tiny):
    tiny.write("sql/macros/label.sql", "{% macro label() %}x  y{% endmacro %}")
    tiny.write("sql/report.sql", "{% set g %}a  b{% endset %}select '{{ g }}' as one, '{{ label() }}' as two")
    before = components(tiny, "report")
    tiny.edit("sql/report.sql", "a  b", "a b")
    between = components(tiny, "report")
    assert changed_components(before, between) == ["compiled"]
    tiny.edit("sql/macros/label.sql", "x  y", "x y")
    assert changed_components(between, components(tiny, "report")) == ["compiled"]
    assert differences(before, between) == ["the compiled SQL changed"]


def test_what_config_says_counts_only_where_it_makes_other_rows(tiny):
    tiny.write("sql/report.sql", "{{ config(description='one (1)', tags=['x']) }} select 1 as a")
    before = components(tiny, "report")
    tiny.edit("sql/report.sql", "description='one (1)', tags=['x']", "description='two'")
    assert components(tiny, "report") == before
    tiny.edit("sql/report.sql", "description='two'", "unique_key='a'")
    assert changed_components(before, components(tiny, "report")) == ["unique_key"]


def test_a_description_does_not_count(tiny):
    before = components(tiny, "report")
    tiny.edit("pipelines/tiny.yml", "- name: report", "- {name: report, description: what for, tags: [x]}")
    assert components(tiny, "report") == before


SECRETS = ["hunter2-hunter2", 'quo"ted', "back\\slash", "two\nlines\n", "tab\there", "ünïcode", "1"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("how", ["{{ env_var('HNM_TEST_SECRET') }}", "key={{ env_var('HNM_TEST_SECRET') }};"])
def test_secrets_never_stand_in_components(tiny, monkeypatch, secret, how):
    monkeypatch.setenv("HNM_TEST_SECRET", secret)
    tiny.edit("counting.py", "lowercase: bool = False", "lowercase: bool = False\n    token: str | dict = ''")
    tiny.edit("pipelines/tiny.yml", "lowercase: true", f'lowercase: true, token: {{a: "{how}"}}')
    tiny.write("sql/report.sql", f"select '{how}' as x")
    for stage in ("word_counts", "report"):
        found = components(tiny, stage)
        shown = json.dumps(secret, ensure_ascii=False)[1:-1]
        kept = {name: value for name, value in found.items() if name.startswith(("params", "env"))}
        assert "env HNM_TEST_SECRET" in found
        assert len(secret) == 1 or not any(text in value for value in kept.values() for text in (secret, shown))
        assert found["env HNM_TEST_SECRET"] == digest(secret)


def test_a_changed_secret_is_a_change(tiny, monkeypatch):
    tiny.write("sql/report.sql", "select '{{ env_var('HNM_TEST_SECRET') }}' as x")
    monkeypatch.setenv("HNM_TEST_SECRET", "one")
    before = components(tiny, "report")
    monkeypatch.setenv("HNM_TEST_SECRET", "two")
    assert differences(before, components(tiny, "report")) == ["env HNM_TEST_SECRET changed"]


def test_versions_of_packages():
    assert package_version("duckdb")[0].isdigit()
    assert package_version("no-such-package-at-all") == "absent"


# Words.


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"params.top_k": "50"}, {"params.top_k": "100"}, ["params.top_k 50 -> 100"]),
        ({"params.x": "a" * 60}, {"params.x": "b" * 60}, ["params.x changed"]),
        ({"var least": "2"}, {"var least": "3"}, ["var least 2 -> 3"]),
        ({"sql": "1"}, {"sql": "2"}, ["the SQL changed"]),
        ({"code": "1"}, {"code": "2"}, ["the code of the transform changed"]),
        ({"macro m": "1"}, {"macro m": "2"}, ["macro m changed"]),
        ({"package lance": "1.0"}, {"package lance": "1.1"}, ["package lance 1.0 -> 1.1"]),
        ({"materialized": "table"}, {"materialized": "lance"}, ["materialized table -> lance"]),
        ({}, {"var k": "1"}, ["var k is new"]),
        ({"var k": "1"}, {}, ["var k is gone"]),
        ({"file a.csv": "1"}, {"file a.csv": "2"}, ["file a.csv changed"]),
        ({"input corpus": "1"}, {"input corpus": "2"}, ["input corpus changed"]),
        ({"a": "1"}, {"a": "1"}, []),
        (
            {"input a": "1", "var z": "1", "sql": "1"},
            {"input a": "2", "var z": "2", "sql": "2"},
            ["the SQL changed", "var z 1 -> 2", "input a changed"],
        ),
    ],
)
def test_differences_in_words(old, new, words):
    assert differences(old, new) == words


@given(one=COMPONENTS, other=COMPONENTS)
def test_there_is_a_difference_in_words_exactly_when_there_is_one(one, other):
    assert bool(differences(one, other)) == (one != other)

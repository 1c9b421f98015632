"""Jinja in SQL and YAML: what it may do, what is noted, and where errors are said to be."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.errors import Location, ProjectError, TemplateError
from hnm.project.templating import Rendering, Templates

SQL = Path("sql/negatives.sql")
YAML = Location(Path("pipelines/a.yml"), 7, 5)


@pytest.fixture
def macros(tmp_path):
    """Write macro files, then give the templates that know them."""

    def load(*folders, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.sql").write_text(text, encoding="utf-8")
        return Templates((tmp_path, *folders))

    return load


def sql(text, templates=None, **variables):
    rendering = Rendering("negatives", variables)
    return (templates or Templates()).render_sql(text, SQL, rendering), rendering


def value(given, templates=None, **variables):
    rendering = Rendering("negatives", variables)
    return (templates or Templates()).render_value(given, YAML, rendering), rendering


def refused(text, templates=None, **variables):
    with pytest.raises(TemplateError) as caught:
        sql(text, templates, **variables)
    return caught.value


# What is read is noted, and nothing else.


def test_a_plain_text_reads_nothing():
    text = "select 1 -- it's\n"
    made, read = sql(text, unread=1)
    assert made == text
    assert read == Rendering("negatives", {"unread": 1})


def test_refs_sources_vars_and_environment_are_noted(monkeypatch):
    monkeypatch.setenv("HNM_TEST_A", "from outside")
    made, read = sql(
        "select {{ var('k') }}, '{{ env_var('HNM_TEST_A') }}' from {{ ref('b') }}, {{ source('s', 't') }}, "
        "{{ ref('a') }}, {{ ref('b') }} {% if false %}{{ ref('never') }}{{ var('never') }}{% endif %}",
        k=5,
        other=6,
    )
    assert made.strip() == 'select 5, \'from outside\' from "b", "s"."t", "a", "b"'
    assert list(read.refs) == ["b", "a"]
    assert list(read.sources) == [("s", "t")]
    assert read.vars_read == {"k": 5}
    assert read.env_read == {"HNM_TEST_A": "from outside"}
    assert (read.macros, read.config) == ({}, {})


def test_a_default_counts_as_what_was_read(monkeypatch):
    monkeypatch.delenv("HNM_TEST_A", raising=False)
    _, read = sql("{{ var('k', 7) }} {{ env_var('HNM_TEST_A', 'none') }}")
    assert (read.vars_read, read.env_read) == ({"k": 7}, {"HNM_TEST_A": "none"})


def test_config_this_and_is_incremental():
    made, read = sql("{{ config(materialized='lance', tags=['x']) }}{{ this }} {{ is_incremental() }}")
    assert made == '"negatives" False'
    assert read.config == {"materialized": "lance", "tags": ["x"]}


def test_names_are_quoted():
    assert sql("{{ ref('odd\"name') }}")[0] == '"odd""name"'


# Macros.


def test_a_macro_that_calls_a_macro_notes_both(macros):
    templates = macros(
        a="{% macro outer(x) %}({{ inner(x) }} + {{ var('k') }}){% endmacro %}",
        b="{% macro inner(x) %}{{ x }} * {{ ref('base') }}{% endmacro %}{% macro unused() %}{% endmacro %}",
    )
    made, read = sql("select {{ outer('y') }}", templates, k=1)
    assert made == 'select (y * "base" + 1)'
    assert list(read.macros) == ["outer", "inner"]
    assert (list(read.refs), read.vars_read) == (["base"], {"k": 1})


def test_each_rendering_notes_for_itself(macros):
    templates = macros(a="{% macro m() %}{{ var('k') }}{{ this }}{% endmacro %}")
    first, second = Rendering("one", {"k": 1}), Rendering("two", {"k": 2})
    assert templates.render_sql("{{ m() }}", SQL, first) == '1"one"'
    assert templates.render_sql("{{ m() }}", SQL, second) == '2"two"'
    assert (first.vars_read, second.vars_read) == ({"k": 1}, {"k": 2})


def test_a_macro_defined_twice_is_refused_with_both_places(macros):
    with pytest.raises(ProjectError, match="'m' is defined twice") as caught:
        macros(a="{% macro m() %}{% endmacro %}", b="\n\n{% macro m() %}{% endmacro %}")
    assert (caught.value.where.path.name, caught.value.where.line) == ("b.sql", 3)
    assert "a.sql" in caught.value.why


def test_a_projects_macro_takes_the_place_of_another_folders(macros, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "c.sql").write_text("{% macro m() %}own{% endmacro %}")
    templates = macros(tmp_path / "own", a="{% macro m() %}shipped{% endmacro %}")
    assert sql("{{ m() }}", templates)[0] == "own"
    assert templates.macro_files["m"] == tmp_path / "own" / "c.sql"


def test_a_macro_file_with_a_syntax_error_names_the_line(macros):
    with pytest.raises(TemplateError, match="template error") as caught:
        macros(a="{% macro m() %}\n{{ oops }\n{% endmacro %}")
    assert (caught.value.where.path.name, caught.value.where.line) == ("a.sql", 2)


def test_a_macro_file_that_is_not_utf8_is_refused(macros, tmp_path):
    (tmp_path / "z.sql").write_bytes(b"{# \xff #}")
    with pytest.raises(ProjectError, match=r"z\.sql is not UTF-8"):
        macros()


def test_an_error_inside_a_macro_names_the_macros_line(macros):
    templates = macros(a="{% macro m() %}\n\n{{ var('missing') }}{% endmacro %}")
    error = refused("select 1\n{{ m() }}", templates)
    assert (error.where.path.name, error.where.line) == ("a.sql", 3)


def test_a_macro_without_end_is_refused(macros):
    templates = macros(a="{% macro m() %}{{ m() }}{% endmacro %}")
    assert "recursion" in str(refused("{{ m() }}", templates))


# Errors name what, where and the nearest name.


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("select 1\n  {{ oops", 2, "template error", None),
        ("select\n{% if %}", 2, "template error", None),
        ("{% endfor %}", 1, "template error", None),
        ("\n\n{{ reff('x') }}", 3, "'reff' is undefined", "did you mean 'ref'?"),
        ("\n{{ var('per_qury') }}", 2, "var 'per_qury' has no value", "did you mean 'per_query'?"),
        ("\n{{ var('zzz') }}", 2, "var 'zzz' has no value", "--vars"),
        ("\n\n\n{{ env_var('HNM_TEST_UNSET') }}", 4, "'HNM_TEST_UNSET' is not set", "default"),
        ("\n{{ raise_error('no such rule: x') }}", 2, "no such rule: x", None),
        ("\n{{ 1 / 0 }}", 2, "division by zero", None),
        ("\n{{ ref() }}", 2, "ref() is given too many or too few values", "write `ref('stage')`"),
        ("\n{{ ref('package', 'model') }}", 2, "ref() is given too many", "write `ref('stage')`"),
        ("\n{{ config('table') }}", 2, "config() is given too many", "write `config(key=value)`"),
        ("\n{{ ref(1) }}", 2, "template error", None),
        ("\n{{ ref(none) }}", 2, "template error", None),
        ("\n{{ var(3) }}", 2, "template error", None),
        ("\n{{ source('a') }}", 2, "source() is given too many or too few", "`source('source', 'table')`"),
        ("\n{{ {'a': 1}['b'] + 1 }}", 2, "no attribute 'b'", None),
        ("\n{{ 'x' | nofilter }}", 2, "nofilter", None),
        ("\n{{ range(10 ** 9) | list }}", 2, "template error", None),
        ("\n{% include 'other.sql' %}", 2, "template error", None),
    ],
)
def test_errors(monkeypatch, text, line, what, hint):
    monkeypatch.delenv("HNM_TEST_UNSET", raising=False)
    error = refused(text, per_query=4)
    assert what in error.what
    assert error.where == Location(SQL, line)
    assert hint is None or hint in str(error.hint)


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ '' | attr('__class__') }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ lipsum.__globals__['os'].system('true') }}",
        "{{ ref.__globals__ }}",
        "{{ ref.__self__ }}",
        "{{ ref.__func__ }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ '{a.__class__}'.format_map({'a': 1}) }}",
        "{{ namespace.__init__ }}",
        "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
        "{% set x = self.__init__ %}{{ x }}",
        "{{ config().__class__ }}",
    ],
)
@pytest.mark.parametrize("render", [sql, value])
def test_there_is_no_way_out_of_the_sandbox(text, render):
    with pytest.raises(TemplateError):
        render(text)


# YAML values.


@pytest.mark.parametrize(
    "given", [1, 2.5, True, None, "plain", "a: b", [1, "x"], {"a": {"b": ["c"]}}, "", "{ not jinja }"]
)
def test_values_without_templates_stay_as_they_are(given):
    made, read = value(given)
    assert made == given
    assert type(made) is type(given)
    assert read.vars_read == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)  # a busy machine
@given(given=JSON)
def test_one_expression_keeps_its_type(given):
    made, _ = value("{{ var('x') }}", x=given)
    assert made == given
    assert type(made) is type(given)


def test_environment_values_are_text_even_if_they_look_like_numbers(monkeypatch):
    monkeypatch.setenv("HNM_TEST_SALT", "0123")
    assert value("{{ env_var('HNM_TEST_SALT') }}")[0] == "0123"
    monkeypatch.setenv("HNM_TEST_SALT", "None")
    assert value("{{ env_var('HNM_TEST_SALT') }}")[0] == "None"


def test_text_around_an_expression_makes_text():
    assert value("k={{ var('k') }}", k=5)[0] == "k=5"
    assert value("{{ var('a') }}{{ var('b') }}", a=1, b=2)[0] == "12"


def test_conditions_and_arithmetic_give_values():
    assert value("{{ var('k') * 2 }}", k=5)[0] == 10
    assert value("{{ var('from') == 'clicks' }}", **{"from": "clicks"})[0] is True


def test_templates_are_found_at_any_depth():
    made, read = value({"a": [{"b": "{{ var('k') }}"}], "c": ("{{ var('k') }}",)}, k=3)
    assert made == {"a": [{"b": 3}], "c": (3,)}
    assert read.vars_read == {"k": 3}


@pytest.mark.parametrize("text", ["{{ oops", "{{ nope }}", "{{ var('x') }}", "{{ raise_error('no') }}", "{{ 1 / 0 }}"])
def test_errors_in_yaml_name_the_yaml(text):
    with pytest.raises(TemplateError) as caught:
        value({"a": text})
    assert caught.value.where == YAML


def test_functions_do_not_work_outside_a_rendering():
    templates = Templates()
    with pytest.raises(TemplateError, match="only while a template is rendered"):
        templates._ref("x")

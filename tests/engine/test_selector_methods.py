"""Selecting by what the tool knows: named selectors, wildcards in methods, state, staleness, results of runs."""

from pathlib import Path

import pytest

from hnm.engine.selectors import Method, select
from hnm.errors import Location, SelectorError
from hnm.project.config import ProjectConfig, StageConfig
from hnm.project.graph import Graph
from hnm.project.manifest import Node, SqlText

ALL = ("shelf.corpus", "documents", "word_counts", "long_documents", "vectors", "report")


def chosen(tiny, *words, exclude=(), run=None, **variables):
    project = tiny.load(**variables)
    return project.select(words, exclude, project.survey(run))


def name_selectors(tiny, yaml):
    path = tiny.root / "project.yml"
    path.write_text(path.read_text() + f"selectors: {yaml}\n")


# Methods, alone: nothing but names and a graph.

GRAPH = Graph({"a": (), "b": ("a",), "c": ("b",)})
CODE = SqlText(Path(), "", "")
NODES = {name: Node(name, "sql", StageConfig(name=name), Location(Path()), "table", (), CODE) for name in "abc"}


def by_mood(labels, values=frozenset({"good", "bad"}), default=""):
    return {"mood": Method(lambda: labels, values, default)}


def picked(word, methods):
    return select(NODES, GRAPH, Path(), [word], methods=methods)


def test_a_method_selects_by_labels_and_takes_part_in_the_graph_operators():
    methods = by_mood({"b": ("good", "quiet")})
    assert picked("mood:good", methods) == ("b",)
    assert picked("+mood:g*", methods) == ("a", "b")
    assert picked("mood:good+", methods) == ("b", "c")
    assert picked("mood:good a", methods) == ("a", "b")
    assert picked("mood:good,a+", methods) == ("b",)


def test_a_known_value_may_match_nothing():
    assert picked("mood:bad", by_mood({})) == ()
    assert picked("+mood:bad+", by_mood({})) == ()


def test_an_unknown_value_is_an_error_that_lists_near_ones():
    with pytest.raises(SelectorError, match="mood:goood") as error:
        picked("mood:goood", by_mood({}))
    assert "'mood:good'" in str(error.value)


def test_without_known_values_a_value_that_matches_nothing_is_an_error():
    with pytest.raises(SelectorError, match="matches nothing"):
        picked("mood:bad", by_mood({"a": ("good",)}, values=None))


def test_labels_are_computed_only_when_asked_for():
    asked = []
    methods = {"mood": Method(lambda: asked.append(1) or {}, frozenset({"good"}))}
    picked("a", methods)
    assert asked == []
    picked("mood:good", methods)
    assert asked == [1]


def test_a_method_may_have_a_default_value():
    assert picked("mood:", by_mood({"c": ("bad",)}, default="*")) == ("c",)


# Wildcards within methods.


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("tag:sl*", ("word_counts",)),
        ("kind:s*", ("shelf.corpus", "documents", "long_documents", "vectors", "report")),
        ("kind:l?nce", ("vectors",)),
        ("source:sh*", ("shelf.corpus",)),
        ("path:sql", ("documents", "long_documents", "vectors", "report")),
        ("path:./sql/", ("documents", "long_documents", "vectors", "report")),
        ("path:sql/*documents.sql", ("documents", "long_documents")),
        ("path:sql/report.sql", ("report",)),
        ("path:pipelines/*.yml", ALL),
        ("*documents,path:sql/long*", ("long_documents",)),
    ],
)
def test_wildcards_work_inside_methods(tiny, word, expected):
    assert chosen(tiny, word) == expected


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("documnts", "'documents'"),
        ("tag:slwo", "'tag:slow'"),
        ("path:sql/raport.sql", "'path:sql/report.sql'"),
        ("kind:lanse", "'kind:lance'"),
        ("stat:new", "'state'"),
        ("selector:x", "project.yml names: none"),
        ("result:eror", "'result:error'"),
        ("state:qqqqqqqqqq", "values of 'state': modified, new"),
    ],
)
def test_what_matches_nothing_is_an_error_that_lists_near_matches(tiny, word, near):
    with pytest.raises(SelectorError) as error:
        chosen(tiny, word)
    assert near in str(error.value)


# Selectors with a name.


def test_a_named_selector_is_its_text(tiny):
    name_selectors(
        tiny, "{counts: '+word_counts', both: ['documents', 'report'], ends: {select: '*', exclude: '+vectors'}}"
    )
    assert chosen(tiny, "selector:counts") == ("shelf.corpus", "documents", "word_counts")
    assert chosen(tiny, "selector:both") == ("documents", "report")
    assert chosen(tiny, "selector:ends") == ("long_documents", "report")
    assert chosen(tiny, "selector:ends,report") == ("report",)
    assert chosen(tiny, exclude=["selector:counts"]) == ("long_documents", "vectors", "report")


def test_a_named_selector_may_name_another(tiny):
    name_selectors(tiny, "{inner: documents, outer: '1+selector:inner'}")
    assert chosen(tiny, "selector:outer") == ("shelf.corpus", "documents")


def test_named_selectors_in_a_circle_are_an_error(tiny):
    name_selectors(tiny, "{a: 'selector:b', b: 'documents selector:a'}")
    with pytest.raises(SelectorError, match="a -> b -> a"):
        chosen(tiny, "selector:a")


def test_an_unknown_named_selector_lists_near_matches(tiny):
    name_selectors(tiny, "{quick: documents}")
    with pytest.raises(SelectorError, match="did you mean 'quick'"):
        chosen(tiny, "selector:quikc")


def test_the_three_forms_of_a_named_selector_are_one():
    forms = ["a b", ["a b"], {"select": "a b"}, {"select": ["a b"]}]
    configs = [ProjectConfig(name="x", selectors={"s": form}).selectors["s"] for form in forms]
    assert all(config == configs[0] for config in configs)


# State: what differs from what is built.


def test_before_the_first_run_everything_is_new(tiny):
    assert chosen(tiny, "state:new") == ALL
    assert chosen(tiny, "state:modified") == ALL
    assert chosen(tiny, "stale:") == ALL


def test_after_a_run_nothing_is_new_modified_or_stale(built):
    for word in ("state:new", "state:modified", "stale:", "stale:documents"):
        assert chosen(built, word) == ()


def test_modified_is_what_itself_changed_and_stale_all_that_would_run_or_be_checked(built):
    built.edit("project.yml", "{least: 2}", "{least: 3}")
    assert chosen(built, "state:modified") == ("long_documents",)
    assert chosen(built, "state:new") == ()
    assert chosen(built, "stale:") == ("long_documents", "report")
    assert chosen(built, "stale:r*") == ("report",)
    assert chosen(built, "state:modified+") == ("long_documents", "report")


@pytest.mark.parametrize(
    ("file", "old", "new", "modified"),
    [
        ("sql/report.sql", "most", "highest", ("report",)),
        ("pipelines/tiny.yml", "lowercase: true", "lowercase: false", ("word_counts",)),
        ("data/corpus.csv", "a b c d e", "a b", ("shelf.corpus",)),
        ("pipelines/tiny.yml", "materialized: lance", "materialized: table", ("vectors",)),
    ],
)
def test_sql_parameters_files_and_configuration_modify_a_stage(built, file, old, new, modified):
    built.edit(file, old, new)
    assert chosen(built, "state:modified") == modified


def test_the_code_of_a_transform_modifies_a_stage(built):
    built.edit("counting.py", "set(text.split())", "set(text.split(' '))")
    assert built.hnm("ls", "-s", "state:modified").stdout.split() == ["word_counts"]


def test_a_comment_modifies_nothing(built):
    built.edit("sql/report.sql", "select", "-- for people\nselect")
    assert chosen(built, "state:modified") == ()


def test_a_new_stage_is_new_and_modified(built):
    built.edit("pipelines/tiny.yml", "  - name: report", "  - name: report\n  - name: more")
    built.write("sql/more.sql", "select * from {{ ref('report') }}")
    assert chosen(built, "state:new") == ("more",) == chosen(built, "state:modified")


# Results of runs.


def break_long_documents(tiny):
    tiny.edit("sql/long_documents.sql", "doc_id, words", "doc_id, words, error('broken') as x")


def test_results_are_those_of_the_last_run(built):
    assert chosen(built, "result:success") == ALL == chosen(built, "result:built")
    assert chosen(built, "result:error") == ()
    break_long_documents(built)
    built.run()
    assert chosen(built, "result:error") == ("long_documents",) == chosen(built, "result:failed")
    assert chosen(built, "result:skipped") == ("report",)
    assert chosen(built, "result:error+") == ("long_documents", "report")
    assert chosen(built, "result:fresh") == ("shelf.corpus", "documents", "word_counts", "vectors")


def test_results_of_an_earlier_run_are_asked_for_by_its_id(built):
    break_long_documents(built)
    failed = built.run().invocation_id
    built.edit("sql/long_documents.sql", ", error('broken') as x", "")
    built.run()
    assert chosen(built, "result:error") == ()
    assert chosen(built, "result:error", run=failed[:8]) == ("long_documents",)


def test_a_run_that_is_not_recorded_is_an_error_that_lists_the_last_ones(built):
    with pytest.raises(SelectorError, match="no recorded run 'nope'") as error:
        chosen(built, "result:error", run="nope")
    assert "success" in str(error.value)


def test_results_of_stages_that_are_gone_do_not_count(built):
    built.edit("pipelines/tiny.yml", "  - name: report\n", "")
    assert "report" not in chosen(built, "+result:success")

"""Variants: copies of a part of the graph with other settings, and the errors of those that cannot be meant."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnm.errors import Location
from hnm.project.config import SettingsOfStage, StageConfig, VariantConfig
from hnm.project.variants import Declared, copies
from hnm.project.yaml_file import YamlFile

FILE = YamlFile(Path("p.yml"), None, {(): Location(Path("p.yml"), 1)})


def copied(depends_on, sets, upto):
    declared = {name: Declared(StageConfig(name=name), FILE, ()) for name in depends_on}
    variant = VariantConfig(name="v", upto=upto, set={name: SettingsOfStage() for name in sets})
    return copies(variant, FILE, (), declared, depends_on)


@st.composite
def graphs(draw):
    """Any acyclic graph of stages that are named by numbers, in any order; and two of them, one above the other."""
    count = draw(st.integers(1, 12))
    edges: dict[str, list[str]] = {"s0": []}
    for i in range(1, count):
        edges[f"s{i}"] = draw(st.lists(st.sampled_from(list(edges)), unique=True))
    upto = draw(st.sampled_from(list(edges)))
    above, waiting = set(), [upto]
    while waiting:
        name = waiting.pop()
        above.add(name)
        waiting += edges[name]
    return edges, draw(st.lists(st.sampled_from(sorted(above)), min_size=1, unique=True)), upto


@given(graphs())
def test_what_is_copied_lies_between_what_is_set_and_upto_and_nothing_else_is(graph):
    edges, sets, upto = graph
    renamed = copied(edges, sets, upto).renamed
    assert {upto, *sets} <= renamed.keys()
    assert set(renamed.values()) == {f"{name}__v" for name in renamed}
    for name in edges:
        reads_a_copy = name in sets or any(parent in renamed for parent in edges[name])
        is_read = name == upto or any(name in edges[child] for child in renamed)
        # Whatever reads a copy and is read by one is copied; what is copied reads one and is read by one.
        assert (name in renamed) == (reads_a_copy and is_read and _leads_to(name, upto, edges))


def _leads_to(name, target, edges):
    return name == target or any(_leads_to(name, parent, edges) for parent in edges[target])


VARIANT = """
    variants:
      - name: more
        description: three at least
        upto: report
        set:
          long_documents: {vars: {least: 3}}
          word_counts: {params: {lowercase: false}}
"""


def test_copies_read_copies_and_else_the_originals(tiny):
    tiny.write("pipelines/variant.yml", VARIANT)
    nodes = tiny.load().manifest.nodes
    assert [name for name in nodes if name.endswith("__more")] == [
        "word_counts__more", "long_documents__more", "vectors__more", "report__more",
    ]  # fmt: skip
    assert nodes["word_counts__more"].depends_on == ("documents",)
    assert nodes["long_documents__more"].depends_on == ("word_counts__more",)
    assert nodes["report__more"].depends_on == ("long_documents__more", "vectors__more")
    assert (nodes["long_documents__more"].vars_read, nodes["long_documents"].vars_read) == ({"least": 3}, {"least": 2})
    copy, original = nodes["word_counts__more"], nodes["word_counts"]
    assert (copy.work.params.lowercase, original.work.params.lowercase) == (False, True)
    assert (copy.config.on_demand, copy.config.tags, original.config.tags) == (True, ("variant", "more"), ("slow",))
    assert nodes["vectors__more"].materialized == "lance"


def test_the_tests_of_a_copy_read_copies_as_it_does(tiny):
    test = "{relationships: {to: ref(word_counts), field: doc_id}}"
    tiny.edit(
        "pipelines/tiny.yml",
        "unique_key: doc_id\n  - name: report",
        f"columns: [{{name: doc_id, tests: [{test}]}}]\n  - name: report",
    )
    tiny.write("pipelines/variant.yml", VARIANT)
    nodes = tiny.load().manifest.nodes
    assert [nodes[name].tests[0].reads for name in ("vectors", "vectors__more")] == [
        ("word_counts",),
        ("word_counts__more",),
    ]
    assert set(tiny.outcomes("+vectors__more").values()) == {"built"}


def test_a_copy_can_be_unit_tested_and_is_given_the_copies_that_it_reads(tiny):
    entry = "name: a, stage: vectors__more, given: [{input: ref(word_counts__more), rows: [{doc_id: a, words: 2}]}]"
    yaml = f"{VARIANT}\n    unit_tests: [{{{entry}, expect: {{rows: [{{vector: [2, 1]}}]}}}}]\n"
    tiny.write("pipelines/variant.yml", yaml)
    assert [(found.status, found.message) for found in tiny.load().unit_tests(["vectors__more"])] == [("pass", "")]


def test_the_tables_of_a_variant_are_what_its_settings_make(tiny):
    tiny.write("pipelines/variant.yml", VARIANT)
    assert not [name for name in tiny.outcomes() if "__" in name]  # on demand
    assert set(tiny.outcomes("+report__more").values()) == {"built", "fresh"}
    # d4 is `A a b`: two different words, three where case counts.
    assert tiny.rows("select doc_id from long_documents order by 1") == [("d1",), ("d3",), ("d4",)]
    assert tiny.rows("select doc_id from long_documents__more order by 1") == [("d1",), ("d3",), ("d4",)]
    assert tiny.rows("select words from word_counts__more where doc_id = 'd4'") == [(3,)]
    assert tiny.rows("select documents from report__more") == [(3,)]
    assert set(tiny.outcomes("+report__more").values()) == {"fresh"}


def test_only_the_copies_run_again_when_a_variant_changes(tiny):
    tiny.write("pipelines/variant.yml", VARIANT)
    tiny.run("*")
    tiny.edit("pipelines/variant.yml", "least: 3", "least: 4")
    outcomes = tiny.outcomes("*")
    assert {name for name, outcome in outcomes.items() if outcome == "built"} == {
        "long_documents__more",
        "report__more",
    }


@pytest.mark.parametrize(
    ("old", "new", "what", "hint", "line"),
    [
        ("long_documents:", "long_document:", "a variant names the unknown stage 'long_document'", "long_documents", 6),
        ("upto: report", "upto: reprot", "a variant names the unknown stage 'reprot'", "'report'", 4),
        ("upto: report", "upto: vectors", "but 'vectors' is not built from it", "name in `upto` a stage that is", 6),
        ("least: 3", "laest: 3", "long_documents__more does not read the var 'laest'", "'least'", 6),
        ("lowercase:", "lowercas:", "unknown key 'lowercas'", "'lowercase'", 7),
        ("params: {", "parms: {", "unknown key 'parms'", "'params'", 7),
        ("upto: report", "uptoo: report", "unknown key 'uptoo'", "'upto'", 4),
    ],
)
def test_a_variant_that_cannot_be_meant_is_refused_with_its_place(tiny, old, new, what, hint, line):
    tiny.write("pipelines/variant.yml", VARIANT.replace(old, new))
    error = tiny.refused()
    assert what in str(error)
    assert hint in (error.hint or "")
    assert (error.where.path.name, error.where.line) == ("variant.yml", line)


def test_a_stage_that_is_disabled_is_named_as_such(tiny):
    tiny.edit("pipelines/tiny.yml", "- name: report", "- {name: report, enabled: false}")
    tiny.write("pipelines/variant.yml", VARIANT)
    error = tiny.refused()
    assert error.what == "a variant names the stage 'report', which is disabled"
    assert error.hint == "enable report, or take the variant out"


def test_an_input_can_be_taken_away_and_another_given(tiny):
    tiny.write("pipelines/variant.yml", VARIANT.replace("{params: {lowercase: false}}", "{inputs: {texts: null}}"))
    assert "word_counts__more: the input 'texts' is missing" in str(tiny.refused())
    tiny.write(
        "pipelines/variant.yml", VARIANT.replace("{params: {lowercase: false}}", "{inputs: {texts: ref(other)}}")
    )
    assert "reads the unknown stage 'other'" in str(tiny.refused())


def test_sql_takes_no_params(tiny):
    tiny.write("pipelines/variant.yml", VARIANT.replace("{vars: {least: 3}}", "{params: {least: 3}}"))
    error = tiny.refused()
    assert "long_documents__more: `inputs` and `params` belong to a stage with `transform:`" in str(error)
    assert error.where.path.name == "variant.yml"


def test_what_is_copied_twice_is_refused(tiny):
    tiny.write("pipelines/variant.yml", VARIANT)
    tiny.write("pipelines/another.yml", VARIANT)
    assert "the name 'word_counts__more' is taken" in str(tiny.refused())


# What is on demand


@pytest.fixture
def varied(tiny):
    tiny.write("pipelines/variant.yml", VARIANT)
    return tiny.load()


def test_nothing_and_descendants_leave_out_what_is_on_demand(varied):
    assert not [name for name in varied.select() if "__" in name]
    assert varied.select(["documents+"]) == varied.select(["documents", "word_counts+"])
    assert not [name for name in varied.select(["@documents"]) if "__" in name]


def test_what_is_on_demand_is_selected_by_name_wildcard_tag_and_what_is_built_from_it(varied):
    assert varied.select(["report__more"]) == ("report__more",)
    assert len(varied.select(["*__more"])) == len(varied.select(["tag:variant"])) == 4
    assert set(varied.select(["+report__more"])) >= {"shelf.corpus", "word_counts__more", "vectors__more"}
    assert varied.select(["word_counts__more+"]) == varied.select(["tag:more"])
    assert len(varied.select(["*"])) == 10


def test_what_reads_a_stage_on_demand_is_on_demand_too(tiny):
    tiny.write("pipelines/variant.yml", VARIANT + "\n    stages: [{name: reader}]\n")
    tiny.write("sql/reader.sql", "select * from {{ ref('report__more') }}\n")
    assert "reader" not in tiny.load().select()
    assert tiny.load().select(["reader"]) == ("reader",)


def test_what_is_on_demand_and_never_built_is_neither_new_nor_stale(tiny):
    tiny.run()
    tiny.write("pipelines/variant.yml", VARIANT)
    project = tiny.load()
    assert project.select(["stale:"]) == ()
    assert project.select(["state:new"]) == ()
    tiny.run("*__more")
    tiny.edit("pipelines/variant.yml", "least: 3", "least: 4")
    assert tiny.load().select(["state:modified"]) == ("long_documents__more",)

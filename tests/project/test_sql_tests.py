"""Data tests that are files in sql/tests/."""

import pytest

from hnm.errors import ProjectError, TemplateError


def of_stage(tiny, stage):
    return {test.name: test for test in tiny.load().manifest.nodes[stage].tests}


def test_a_file_belongs_to_the_stage_that_is_built_from_all_others(tiny):
    tiny.write("sql/tests/lost.sql", "from {{ ref('documents') }} anti join {{ ref('report') }} using (doc_id)")
    test = of_stage(tiny, "report")["lost"]
    assert (test.kind, test.reads, test.options.severity) == ("sql_file", ("documents",), "error")
    assert test.where.path == tiny.root / "sql/tests/lost.sql"


def test_a_file_may_stand_in_a_folder_and_test_a_source(tiny):
    tiny.write("sql/tests/more/untitled.sql", "select * from {{ source('shelf', 'corpus') }} where title is null")
    assert list(of_stage(tiny, "shelf.corpus")) == ["untitled"]


def test_config_sets_name_and_thresholds(tiny):
    tiny.write(
        "sql/tests/few.sql",
        "{{ config(name='few words', warn_if=2, error_if=4) }} select * from {{ ref('word_counts') }} where words < 3",
    )
    test = of_stage(tiny, "word_counts")["few words"]
    assert [test.warns(count) for count in (1, 2)] == [False, True]
    assert [test.blocks(count) for count in (3, 4)] == [False, True]


def test_macros_and_vars_are_at_hand(tiny):
    tiny.write("sql/macros/few.sql", "{% macro few() %}words < {{ var('least') }}{% endmacro %}")
    tiny.write("sql/tests/few.sql", "select * from {{ ref('word_counts') }} where {{ few() }}")
    assert of_stage(tiny, "word_counts")["few"].query == 'select * from "word_counts" where words < 2'


def test_a_file_that_reads_what_is_disabled_is_disabled_too(tiny):
    tiny.edit("pipelines/tiny.yml", "- name: report", "- {name: report, enabled: false}")
    tiny.write("sql/tests/lost.sql", "select * from {{ ref('report') }}")
    assert not any(node.tests for name, node in tiny.load().manifest.nodes.items() if name == "word_counts")


@pytest.mark.parametrize(
    ("sql", "kind", "what", "hint"),
    [
        ("select 1", ProjectError, "reads no stage", "ref()"),
        ("select * from {{ ref('report') }}, {{ ref('reprot') }}", ProjectError, "unknown stage 'reprot'", "'report'"),
        (
            "from {{ ref('vectors') }}, {{ ref('long_documents') }}",
            ProjectError,
            "none of them is built",
            "all of them",
        ),
        ("{{ config(severity='loud') }} from {{ ref('report') }}", ProjectError, "severity", None),
        ("{{ config(were='x') }} from {{ ref('report') }}", ProjectError, "unknown key 'were'", None),
        ("from {{ rev('report') }}", TemplateError, "rev", None),
    ],
)
def test_what_is_wrong_with_a_file(tiny, sql, kind, what, hint):
    path = tiny.write("sql/tests/bad.sql", sql)
    with pytest.raises(kind) as caught:
        tiny.load()
    assert what in caught.value.what
    assert caught.value.where.path == path
    assert hint is None or hint in caught.value.hint


@pytest.mark.parametrize(
    ("to", "what", "hint"),
    [
        ("report", "reads 'report', from which the stage is not built", "built from both"),
        ("documentz", "reads the unknown stage 'documentz'", "'documents'"),
    ],
)
def test_a_relationship_leads_to_what_the_stage_is_built_from(tiny, to, what, hint):
    tests = f"columns: [{{name: doc_id, tests: [{{relationships: {{to: {to}, field: doc_id}}}}]}}]"
    tiny.edit("pipelines/tiny.yml", "- name: long_documents", f"- name: long_documents\n    {tests}")
    with pytest.raises(ProjectError) as caught:
        tiny.load()
    assert what in caught.value.what
    assert (caught.value.where.line, caught.value.where.column) == (15, 39)
    assert hint in caught.value.hint


def test_a_relationship_may_lead_further_up_than_the_inputs(tiny):
    tests = "columns: [{name: doc_id, tests: [{relationships: {to: shelf.corpus, field: doc_id}}]}]"
    tiny.edit("pipelines/tiny.yml", "- name: long_documents", f"- name: long_documents\n    {tests}")
    assert of_stage(tiny, "long_documents")["relationships doc_id"].reads == ("shelf.corpus",)
    assert tiny.run("+long_documents").ok

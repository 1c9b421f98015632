"""Projects as they should be: nodes, vars, targets, config() in SQL."""

import pytest

from hnm.api import Project
from hnm.errors import Location, ProjectError
from hnm.project.root import find_root

PIPELINE = "pipelines/tiny.yml"


# A good project.


def test_a_project_and_its_nodes(tiny):
    manifest = tiny.load().manifest
    assert list(manifest.nodes) == ["shelf.corpus", "documents", "word_counts", "long_documents", "vectors", "report"]
    assert [node.kind for node in manifest.nodes.values()] == ["source", "sql", "python", "sql", "sql", "sql"]
    assert {name: node.depends_on for name, node in manifest.nodes.items()} == {
        "shelf.corpus": (),
        "documents": ("shelf.corpus",),
        "word_counts": ("documents",),
        "long_documents": ("word_counts",),
        "vectors": ("word_counts",),
        "report": ("long_documents", "vectors"),
    }
    assert manifest.nodes["vectors"].materialized == "lance"
    assert (manifest.nodes["shelf.corpus"].schema, manifest.nodes["shelf.corpus"].table) == ("shelf", "corpus")
    assert manifest.nodes["word_counts"].where == Location(tiny.root / PIPELINE, 9, 5)
    assert manifest.warehouse == tiny.root / "data/warehouse"


def test_only_what_is_read_is_noted(tiny, monkeypatch):
    monkeypatch.setenv("HNM_TEST_A", "x")
    monkeypatch.setenv("HNM_TEST_B", "y")
    tiny.write("sql/macros/used.sql", "{% macro used() %}{{ env_var('HNM_TEST_A') }}{% endmacro %}")
    tiny.write("sql/macros/unused.sql", "{% macro unused() %}{{ env_var('HNM_TEST_B') }}{% endmacro %}")
    tiny.write("sql/documents.sql", "select doc_id, text, '{{ used() }}' as x from {{ source('shelf', 'corpus') }}")
    nodes = tiny.load(other=1).manifest.nodes
    read = {name: (dict(node.vars_read), dict(node.env_read), node.macros) for name, node in nodes.items()}
    assert read["documents"] == ({}, {"HNM_TEST_A": "x"}, ("used",))
    assert read["long_documents"] == ({"least": 2}, {}, ())
    assert all(noted == ({}, {}, ()) for name, noted in read.items() if name not in ("documents", "long_documents"))


def test_what_decides_whether_a_stage_exists_is_not_what_it_reads(tiny):
    tiny.edit(PIPELINE, "- name: long_documents", "- {name: long_documents, enabled: \"{{ var('on') == 1 }}\"}")
    assert tiny.load(on=1).manifest.nodes["long_documents"].vars_read == {"least": 2}
    assert "'long_documents', which is disabled" in tiny.refused(on=2).what


def test_an_empty_list_is_false_as_in_any_template(tiny):
    tiny.edit(PIPELINE, "- name: report", "- {name: report, enabled: \"{{ var('on') }}\"}")
    there = {str(on): "report" in tiny.load(on=on).manifest.nodes for on in ([], ["a"], {}, 0.0, 1, "off", "on", None)}
    assert there == {
        "[]": False,
        "['a']": True,
        "{}": False,
        "0.0": False,
        "1": True,
        "off": False,
        "on": True,
        "None": False,
    }


def test_a_project_is_found_from_a_folder_below(tiny):
    assert find_root(tiny.root / "sql") == tiny.root
    assert find_root(tiny.root / "project.yml") == tiny.root
    assert Project.load(tiny.root / "data").manifest.config.name == "tiny"


def test_no_project_at_all(tmp_path):
    with pytest.raises(ProjectError, match="not an hnm project") as caught:
        Project.load(tmp_path / "nowhere")
    assert "hnm init" in caught.value.hint


def test_pipelines_in_folders_and_both_endings_are_read(tiny):
    tiny.write("pipelines/more/a.yaml", "stages: [{name: other}]")
    tiny.write("sql/other.sql", "select 1 as x")
    assert "other" in tiny.load().manifest.nodes


def test_sql_that_starts_with_a_byte_order_mark(tiny):
    (tiny.root / "sql/report.sql").write_bytes(b"\xef\xbb\xbfselect 1 as x")
    assert tiny.load().compiled("report") == "select 1 as x"


# Vars: the command line before the stage before the target before the project.


@pytest.mark.parametrize(
    ("target", "stage", "given", "expected"),
    [
        (None, None, {}, 2),
        ("prod", None, {}, 3),
        ("prod", 4, {}, 4),
        (None, 4, {}, 4),
        ("prod", 4, {"least": 5}, 5),
        (None, None, {"least": None}, None),
    ],
)
def test_precedence_of_vars(tiny, target, stage, given, expected):
    if stage:
        tiny.edit(PIPELINE, "- name: long_documents", f"- {{name: long_documents, vars: {{least: {stage}}}}}")
    node = tiny.load(target, **given).manifest.nodes["long_documents"]
    assert node.vars_read == {"least": expected}


def test_vars_of_one_stage_are_not_anothers(tiny):
    tiny.edit(PIPELINE, "- name: report", "- {name: report, vars: {mine: 1}}")
    tiny.write("sql/long_documents.sql", "select {{ var('mine') }} as x from {{ ref('word_counts') }}")
    assert "var 'mine' has no value" in tiny.refused().what


def test_parameters_and_options_are_rendered(tiny):
    tiny.edit(PIPELINE, "lowercase: true", "lowercase: \"{{ var('least') == 2 }}\"")
    tiny.edit(PIPELINE, "path: data/corpus.csv", "path: \"data/{{ var('file') }}.csv\"")
    nodes = tiny.load(file="corpus").manifest.nodes
    assert nodes["word_counts"].work.params.lowercase is True
    assert nodes["shelf.corpus"].work.params.path == "data/corpus.csv"


def test_each_target_has_its_place_and_its_settings(tiny):
    tiny.edit("project.yml", "vars: {least: 3}", "vars: {least: 3}, settings: {cores: 7}")
    dev, prod = tiny.load().manifest, tiny.load("prod").manifest
    assert (dev.warehouse.name, prod.warehouse.name) == ("warehouse", "prod")
    assert (dev.settings.cores, prod.settings.cores) == (1, 7)


# config() in SQL.


def test_config_in_sql_counts_before_the_yaml(tiny):
    tiny.edit(PIPELINE, "- name: report", "- {name: report, tags: [yaml], materialized: table}")
    tiny.write("sql/report.sql", "{{ config(materialized='lance', tags=['sql'], unique_key='x') }}\nselect 1 as x")
    node = tiny.load().manifest.nodes["report"]
    assert (node.materialized, node.config.tags, node.config.key) == ("lance", ("sql",), ("x",))
    assert [test.name for test in node.tests] == ["unique x", "not_null x"]


@pytest.mark.parametrize(
    ("call", "words", "hint"),
    [
        ("materialised='lance'", "unknown key 'materialised'", "'materialized'"),
        ("materialized='lanse'", "materialized: Input should be", "'lance'"),
        ("materialized='model'", "cannot be a model", "lance"),
        ("name='other'", "config() cannot set 'name'", "pipelines"),
        ("enabled=false", "config() cannot set 'enabled'", "pipelines"),
        ("vars={'a': 1}", "config() cannot set 'vars'", "pipelines"),
    ],
)
def test_config_that_cannot_be(tiny, call, words, hint):
    tiny.write("sql/report.sql", f"-- why\n{{{{ config({call}) }}}}\nselect 1 as x")
    error = tiny.refused()
    assert words in error.what
    assert hint in str(error.hint)
    assert error.where.path.name in ("report.sql", "tiny.yml")

"""Projects as they should be, and every kind of project that is not: what, where, why, hint."""

import textwrap

import pytest

from hnm.api import Project
from hnm.errors import Location, ProjectError, TemplateError
from hnm.project.load import find_root

PIPELINE = "pipelines/tiny.yml"


def refused(tiny, **load):
    """The error of a project that must not load."""
    with pytest.raises(ProjectError) as caught:
        tiny.load(**load)
    return caught.value


def place(tiny, error):
    """The error's place as `file:line:column`, the file relative to the project."""
    where = error.where
    return str(Location(where.path.relative_to(tiny.root), where.line, where.column))


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
    assert "'long_documents', which is disabled" in refused(tiny, on=2).what


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
    assert "var 'mine' has no value" in refused(tiny).what


def test_parameters_and_options_are_rendered(tiny):
    tiny.edit(PIPELINE, "lowercase: true", "lowercase: \"{{ var('least') == 2 }}\"")
    tiny.edit(PIPELINE, "path: data/corpus.csv", "path: \"data/{{ var('file') }}.csv\"")
    nodes = tiny.load(file="corpus").manifest.nodes
    assert nodes["word_counts"].work.params.lowercase is True
    assert nodes["shelf.corpus"].work.params.path == "data/corpus.csv"


def test_each_target_has_its_place_and_its_settings(tiny):
    tiny.edit("project.yml", "vars: {least: 3}", "vars: {least: 3}, settings: {threads: 7}")
    dev, prod = tiny.load().manifest, tiny.load("prod").manifest
    assert (dev.warehouse.name, prod.warehouse.name) == ("warehouse", "prod")
    assert (dev.settings.threads, prod.settings.threads) == (1, 7)


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
    error = refused(tiny)
    assert words in error.what
    assert hint in str(error.hint)
    assert error.where.path.name in ("report.sql", "tiny.yml")


# What is wrong, where, and what was meant.

BAD = [
    # project.yml
    ("project.yml", "name: tiny", "nme: tiny", "project.yml:1:1", "unknown key 'nme'", "'name'"),
    ("project.yml", "name: tiny\n", "", "project.yml", "'name' is missing", None),
    ("project.yml", "name: tiny", "name: 5", "project.yml:1:1", "valid string, not 5", None),
    ("project.yml", "name: tiny", "name: my-project", "project.yml:1:1", "not 'my-project'", None),
    ("project.yml", "name: tiny", "name: tiny\nname: again", "project.yml:2:1", "'name' stands twice", None),
    ("project.yml", "name: tiny", "name: [tiny", "project.yml:2:5", "not valid YAML", None),
    ("project.yml", "name: tiny", "- name: tiny", "project.yml:2:1", "not valid YAML", None),
    ("project.yml", "threads: 1", "threds: 1", "project.yml:6:12", "unknown key 'threds'", "'threads'"),
    ("project.yml", "threads: 1", "threads: -1", "project.yml:6:12", "settings.threads", None),
    ("project.yml", "500MB", "lots", "project.yml:6:24", "settings.memory_limit", None),
    ("project.yml", "{warehouse: data/warehouse}", "{warehose: x}", "project.yml:4:9", "'warehose'", "'warehouse'"),
    ("project.yml", "vars: {least: 2}", "vars: [least]", "project.yml:2:1", "vars: Input should be", None),
    ("project.yml", "data/warehouse", "../elsewhere", "project.yml:4:9", "'../elsewhere' lies outside", "inside"),
    ("project.yml", "data/warehouse", "/tmp/elsewhere", "project.yml:4:9", "lies outside", "inside"),
    ("project.yml", "data/warehouse", ".", "project.yml:4:9", "holds the project's own files", "folder of its own"),
    ("project.yml", "data/warehouse", "sql", "project.yml:4:9", "holds the project's own files", "folder of its own"),
    ("project.yml", "name: tiny", "name: tiny\nsql: /etc", "project.yml:2:1", "'/etc' lies outside", None),
    ("project.yml", "name: tiny", "name: tiny\npipelines: ../x", "project.yml:2:1", "lies outside", None),
    ("project.yml", "name: tiny", "name: tiny\npipelines: pipes", "project.yml:2:1", "no folder 'pipes'", "'pipelines'"),
    ("project.yml", "name: tiny", "name: tiny\ndefault_target: pord", "project.yml:4:1", "target 'pord'", "'prod'"),
    # pipelines
    (PIPELINE, "stages:", "stags:", f"{PIPELINE}:5:1", "unknown key 'stags'", "'stages'"),
    (PIPELINE, "unique_key: doc_id\n    columns", "uniq_key: doc_id\n    columns", f"{PIPELINE}:7:5", "'uniq_key'", "'unique_key'"),
    (PIPELINE, "tags: [slow]", "tags: slow", f"{PIPELINE}:13:5", "tags: Input should be", None),
    (PIPELINE, "- name: report", "- nam: report", f"{PIPELINE}:18:5", "unknown key 'nam'", "'name'"),
    (PIPELINE, "- name: report", "- name: 1report", f"{PIPELINE}:18:5", "not '1report'", None),
    (PIPELINE, "- name: report", "- name: reprt", f"{PIPELINE}:18:5", "sql/reprt.sql", "'report'"),
    (PIPELINE, "- name: report", "- name: documents", f"{PIPELINE}:18:5", "'documents' is taken", None),
    (PIPELINE, "- name: report", "- {name: Documents, transform: 'counting:count_words', inputs: {texts: ref(documents)}}", f"{PIPELINE}:18:5", "'Documents' is taken", None),
    (PIPELINE, "- name: report", "- {name: report, inputs: {a: ref(documents)}}", f"{PIPELINE}:18:5", "`transform:`", "ref()"),
    (PIPELINE, "- name: report", "- just text", f"{PIPELINE}:18:5", "not 'just text'", None),
    (PIPELINE, "materialized: lance", "materialized: lanse", f"{PIPELINE}:16:5", "not 'lanse'", "'lance'"),
    (PIPELINE, "materialized: lance", "materialized: model", f"{PIPELINE}:15:5", "cannot be a model", "lance"),
    (PIPELINE, "  - name: vectors", " - name: vectors", f"{PIPELINE}:15:2", "not valid YAML", None),
    # Python stages
    (PIPELINE, "counting:count_words", "counting:count_wrds", f"{PIPELINE}:10:5", "is not a transform", "'count_words'"),
    (PIPELINE, "counting:count_words", "counting:CountParams", f"{PIPELINE}:10:5", "is not a transform", None),
    (PIPELINE, "counting:count_words", "countin:count_words", f"{PIPELINE}:10:5", "cannot import 'countin'", "looked up"),
    (PIPELINE, "counting:count_words", ":x", f"{PIPELINE}:10:5", "cannot import ''", None),
    (PIPELINE, "counting:count_words", "..up:x", f"{PIPELINE}:10:5", "cannot import '..up'", None),
    (PIPELINE, "counting:count_words", "embd", f"{PIPELINE}:10:5", "unknown transform 'embd'", "'embed'"),
    (PIPELINE, "counting:count_words", "os", f"{PIPELINE}:10:5", "unknown transform 'os'", "built in"),
    (PIPELINE, "counting:count_words", "_fusion", f"{PIPELINE}:10:5", "unknown transform '_fusion'", None),
    (PIPELINE, "ref(documents)", "ref(docments)", f"{PIPELINE}:11:14", "unknown stage 'docments'", "'documents'"),
    (PIPELINE, "ref(documents)", "'source(shelf, corpse)'", f"{PIPELINE}:11:14", "source 'shelf.corpse'", "'shelf.corpus'"),
    (PIPELINE, "ref(documents)", "documents", f"{PIPELINE}:11:14", "'documents' is no input", "ref(stage)"),
    (PIPELINE, "{texts: ref(documents)}", "{text: ref(documents)}", f"{PIPELINE}:11:5", "input 'texts' is missing", "texts"),
    (PIPELINE, "{texts: ref(documents)}", "{texts: ref(documents), more: ref(documents)}", f"{PIPELINE}:11:37", "unknown input 'more'", "texts"),
    (PIPELINE, "{lowercase: true}", "{lower_case: true}", f"{PIPELINE}:12:14", "unknown key 'lower_case'", "'lowercase'"),
    (PIPELINE, "{lowercase: true}", "{lowercase: maybe}", f"{PIPELINE}:12:14", "not 'maybe'", None),
    (PIPELINE, "{lowercase: true}", "{lowercase: \"{{ var('lst') }}\"}", f"{PIPELINE}:12:14", "var 'lst'", None),
    (PIPELINE, "{lowercase: true}", '{lowercase: "{{ nope }}"}', f"{PIPELINE}:12:14", "'nope' is undefined", None),
    (PIPELINE, "tags: [slow]", "materialized: model", f"{PIPELINE}:13:5", "makes a table, not a model", None),
    # sources
    (PIPELINE, "format: csv", "format: cvs", f"{PIPELINE}:3:5", "unknown format 'cvs'", "'csv'"),
    (PIPELINE, "format: csv", "formt: csv", f"{PIPELINE}:3:5", "'formt'", "'format'"),
    (PIPELINE, "name: shelf", "name: main", f"{PIPELINE}:2:5", "'main' is a reserved schema", None),
    (PIPELINE, "{corpus: {path: data/corpus.csv}}", "{}", f"{PIPELINE}:4:5", "names no tables", "tables:"),
    (PIPELINE, "{corpus: {path: data/corpus.csv}}", "{corpus: {pth: x}}", f"{PIPELINE}:4:23", "unknown key 'pth'", "'path'"),
    (PIPELINE, "{corpus: {path: data/corpus.csv}}", "{corpses: {path: x}}", f"{PIPELINE}:4:14", "not 'corpses'", "'corpus'"),
    # data tests
    (PIPELINE, "[not_null]", "[not_nul]", f"{PIPELINE}:8:51", "unknown data test 'not_nul'", "'not_null'"),
    (PIPELINE, "[not_null]", "[{in_range: 5}]", f"{PIPELINE}:8:52", "'in_range' has wrong options: 5", None),
    (PIPELINE, "[not_null]", "[{in_range: {mn: 5}}]", f"{PIPELINE}:8:63", "unknown key 'mn'", "'min'"),
    (PIPELINE, "[not_null]", "[{in_range: {min: 1}, not_null: {}}]", f"{PIPELINE}:8:51", "one test", None),
    (PIPELINE, "[not_null]", "[{not_null: {severity: wrn}}]", f"{PIPELINE}:8:63", "not 'wrn'", "'warn'"),
    (PIPELINE, "tags: [slow]", "tests: [not_null]", f"{PIPELINE}:13:13", "belongs to a column", "columns"),
    (PIPELINE, "[not_null]", "[{relationships: {to: report, field: x}}]", f"{PIPELINE}:8:52", "reads 'report'", None),
    # SQL
    ("sql/report.sql", "ref('vectors')", "ref('vectrs')", "sql/report.sql:2", "unknown stage 'vectrs'", "'vectors'"),
    ("sql/report.sql", "ref('vectors')", "reff('vectors')", "sql/report.sql:2", "'reff' is undefined", "'ref'"),
    ("sql/report.sql", "ref('vectors') }}", "ref('vectors') }", "sql/report.sql:2", "template error", None),
    ("sql/report.sql", "count(*)", "{% if 1 %}", "sql/report.sql:2", "template error", None),
    ("sql/long_documents.sql", "var('least')", "var('lest')", "sql/long_documents.sql:1", "var 'lest' has no value", "'least'"),
    ("sql/long_documents.sql", "var('least')", "env_var('HNM_TEST_UNSET')", "sql/long_documents.sql:1", "'HNM_TEST_UNSET' is not set", None),
    ("sql/long_documents.sql", "var('least')", "raise_error('stop here')", "sql/long_documents.sql:1", "stop here", None),
    ("sql/long_documents.sql", "var('least')", "''.__class__.__mro__", "sql/long_documents.sql:1", "unsafe", None),
    ("sql/documents.sql", "'corpus'", "'corpse'", "sql/documents.sql:1", "unknown source 'shelf.corpse'", "'shelf.corpus'"),
    ("sql/documents.sql", "source('shelf', 'corpus')", "ref('report')", f"{PIPELINE}:6:5", "circle", "refs"),
    ("sql/documents.sql", "source('shelf', 'corpus')", "ref('documents')", f"{PIPELINE}:6:5", "documents -> documents", None),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "where", "words", "hint"), BAD, ids=[f"{b[0]}: {b[2]}" for b in BAD])
def test_a_bad_project_is_refused(tiny, monkeypatch, file, old, new, where, words, hint):
    monkeypatch.delenv("HNM_TEST_UNSET", raising=False)
    tiny.edit(file, old, new)
    error = refused(tiny)
    assert words in error.what
    assert place(tiny, error) == where
    if hint:
        assert hint in str(error.hint)


def test_several_problems_are_told_at_once(tiny):
    tiny.edit("project.yml", "settings: {threads: 1", "settings: {threads: many, precison: fp32")
    error = refused(tiny)
    assert "unknown key 'precison'" in error.what
    assert "6:12: settings.threads: Input should be a valid integer" in error.why


def test_an_unknown_target_on_the_command_line(tiny):
    error = refused(tiny, target="pord")
    assert (error.what, error.hint) == ("unknown target 'pord'", "did you mean 'prod'?")


def test_a_file_that_is_not_utf8(tiny):
    (tiny.root / "sql/report.sql").write_bytes(b"select 1 as x -- caf\xe9\n")
    error = refused(tiny)
    assert "report.sql is not UTF-8" in error.what
    assert error.where.path == tiny.root / "sql/report.sql"


def test_an_empty_project_file(tiny):
    tiny.write("project.yml", "")
    assert "'name' is missing" in refused(tiny).what


def test_an_empty_pipeline_file_is_no_harm(tiny):
    tiny.write("pipelines/empty.yml", "")
    assert len(tiny.load().manifest.nodes) == 6


def test_a_stage_with_neither_transform_nor_sql(tiny):
    tiny.write("pipelines/more.yml", "stages:\n  - {name: mystery}\n")
    error = refused(tiny)
    assert "'mystery' has neither `transform:` nor sql/mystery.sql" in error.what
    assert place(tiny, error) == "pipelines/more.yml:2:5"


def test_a_disabled_stage_is_not_there(tiny):
    tiny.edit(PIPELINE, "- name: report", "- {name: report, enabled: false}")
    assert "report" not in tiny.load().manifest.nodes


def test_a_disabled_stage_need_not_be_right(tiny):
    tiny.write("pipelines/more.yml", "stages: [{name: later, enabled: false, transform: 'not:there'}]")
    assert "later" not in tiny.load().manifest.nodes


def test_a_disabled_stage_that_is_read(tiny):
    tiny.edit(PIPELINE, "- name: vectors", "- name: vectors\n    enabled: false")
    error = refused(tiny)
    assert "report reads 'vectors', which is disabled" in error.what
    assert place(tiny, error) == "sql/report.sql:2"


def test_two_variants_of_a_stage_of_which_one_is_enabled(tiny):
    tiny.write(
        "pipelines/more.yml",
        """
        stages:
          - {name: base, transform: "counting:count_words", inputs: {texts: ref(documents)}, enabled: "{{ var('py') }}"}
          - {name: base, enabled: "{{ not var('py') }}"}
          - {name: reader}
        """,
    )
    tiny.write("sql/base.sql", "select 1 as x")
    tiny.write("sql/reader.sql", "select * from {{ ref('base') }}")
    assert tiny.load(py=True).manifest.nodes["base"].kind == "python"
    assert tiny.load(py=False).manifest.nodes["base"].kind == "sql"


def test_a_project_module_that_fails_to_import(tiny):
    tiny.edit("counting.py", '"""Counts words."""', "import no_such_package")
    error = refused(tiny)
    assert "cannot import 'counting'" in error.what
    assert "No module named 'no_such_package'" in error.why


def test_two_projects_with_modules_of_the_same_name(tiny, tmp_path):
    other = tmp_path / "other"
    for path in (
        "project.yml",
        PIPELINE,
        "counting.py",
        "data/corpus.csv",
        *(f"sql/{n}.sql" for n in ("documents", "long_documents", "vectors", "report")),
    ):
        (other / path).parent.mkdir(parents=True, exist_ok=True)
        (other / path).write_text(
            (tiny.root / path)
            .read_text()
            .replace("one row per document", "another")
            .replace("lowercase: bool = False", "lowercase: bool = True")
        )
    first, second, again = tiny.load(), Project.load(other), tiny.load()
    files = [
        project.manifest.nodes["word_counts"].work.transform.function.__code__.co_filename
        for project in (first, second, again)
    ]
    assert files == [str(tiny.root / "counting.py"), str(other / "counting.py"), str(tiny.root / "counting.py")]


def test_errors_of_the_template_kind_are_errors_of_the_project(tiny):
    tiny.edit("sql/report.sql", "count(*)", "{{ raise_error('no') }}")
    assert isinstance(refused(tiny), TemplateError)


def test_a_wrong_value_that_came_from_the_environment_is_not_shown(tiny, monkeypatch):
    monkeypatch.setenv("HNM_TEST_SECRET", "hunter2")
    tiny.edit(PIPELINE, "lowercase: true", "lowercase: \"{{ env_var('HNM_TEST_SECRET') }}\"")
    error = refused(tiny)
    assert "hunter2" not in str(error)


def test_text_of_an_error():
    error = ProjectError("what", where=Location(__import__("pathlib").Path("a.yml"), 1, 2), why="why", hint="hint")
    assert str(error) == textwrap.dedent(
        """\
        what
          at a.yml:1:2
          why: why
          hint: hint"""
    )

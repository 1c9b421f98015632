"""Every kind of project that is not as it should be: what is wrong, where, and what was meant."""

import textwrap

import pytest

from hnm.api import Project
from hnm.errors import Location, ProjectError, SourceError, TemplateError

PIPELINE = "pipelines/tiny.yml"


def place(tiny, error):
    """The error's place as `file:line:column`, the file relative to the project."""
    where = error.where
    return str(Location(where.path.relative_to(tiny.root), where.line, where.column))


LONG = "sql/long_documents.sql"
# File, what stands there and what is put instead; then the place of the error (in the same file: `:line:column`), words
# of it and of its hint.
BAD = [
    # project.yml
    ("project.yml", "name: tiny", "nme: tiny", ":1:1", "unknown key 'nme'", "'name'"),
    ("project.yml", "name: tiny\n", "", "project.yml", "'name' is missing", None),
    ("project.yml", "name: tiny", "name: 5", ":1:1", "valid string, not 5", None),
    ("project.yml", "name: tiny", "name: my-project", ":1:1", "not 'my-project'", None),
    ("project.yml", "name: tiny", "name: tiny\nname: again", ":2:1", "'name' stands twice", None),
    ("project.yml", "name: tiny", "name: [tiny", ":2:5", "not valid YAML", None),
    ("project.yml", "name: tiny", "- name: tiny", ":2:1", "not valid YAML", None),
    ("project.yml", "cores: 1", "coers: 1", ":6:12", "unknown key 'coers'", "'cores'"),
    ("project.yml", "cores: 1", "cores: -1", ":6:12", "settings.cores", None),
    ("project.yml", "500MB", "lots", ":6:22", "settings.memory_limit", None),
    ("project.yml", "{warehouse: data/warehouse}", "{warehose: x}", ":4:9", "'warehose'", "'warehouse'"),
    ("project.yml", "vars: {least: 2}", "vars: [least]", ":2:1", "vars: Input should be", None),
    ("project.yml", "data/warehouse", "../elsewhere", ":4:9", "'../elsewhere' lies outside", "inside"),
    ("project.yml", "data/warehouse", "/elsewhere", ":4:9", "lies outside", "inside"),
    ("project.yml", "data/warehouse", ".", ":4:9", "holds the project's own files", "folder of its own"),
    ("project.yml", "data/warehouse", "'data/ware?house'", ":4:9", "data/ware?house'", "rename"),
    ("project.yml", "data/warehouse", "'data/ware\\house'", ":4:9", "cannot lie in", "rename"),
    ("project.yml", "data/warehouse", "sql", ":4:9", "holds the project's own files", "folder of its own"),
    ("project.yml", "name: tiny", "name: tiny\nsql: /etc", ":2:1", "'/etc' lies outside", None),
    ("project.yml", "name: tiny", "name: tiny\npipelines: ../x", ":2:1", "lies outside", None),
    ("project.yml", "name: tiny", "name: tiny\npipelines: pipes", ":2:1", "no folder 'pipes'", "'pipelines'"),
    ("project.yml", "name: tiny", "name: tiny\ndefault_target: pord", ":4:1", "target 'pord'", "'prod'"),
    # pipelines
    (PIPELINE, "stages:", "stags:", ":5:1", "unknown key 'stags'", "'stages'"),
    (
        PIPELINE,
        "unique_key: doc_id\n    columns",
        "uniq_key: doc_id\n    columns",
        ":7:5",
        "'uniq_key'",
        "'unique_key'",
    ),
    (PIPELINE, "tags: [slow]", "tags: slow", ":13:5", "tags: Input should be", None),
    (PIPELINE, "- name: report", "- nam: report", ":18:5", "unknown key 'nam'", "'name'"),
    (PIPELINE, "- name: report", "- name: 1report", ":18:5", "not '1report'", None),
    (PIPELINE, "- name: report", "- name: reprt", ":18:5", "sql/reprt.sql", "'report'"),
    (PIPELINE, "- name: report", "- name: documents", ":18:5", "'documents' is taken", None),
    (
        PIPELINE,
        "- name: report",
        "- {name: Documents, transform: 'counting:count_words', inputs: {texts: ref(documents)}}",
        ":18:5",
        "'Documents' is taken",
        None,
    ),
    (PIPELINE, "- name: report", "- {name: report, inputs: {a: ref(documents)}}", ":18:5", "`transform:`", "ref()"),
    (PIPELINE, "- name: report", "- just text", ":18:5", "not 'just text'", None),
    (PIPELINE, "materialized: lance", "materialized: lanse", ":16:5", "not 'lanse'", "'lance'"),
    (PIPELINE, "materialized: lance", "materialized: model", ":15:5", "cannot be a model", "lance"),
    (PIPELINE, "  - name: vectors", " - name: vectors", ":15:2", "not valid YAML", None),
    # Python stages
    (PIPELINE, "counting:count_words", "counting:count_wrds", ":10:5", "is not a transform", "'count_words'"),
    (PIPELINE, "counting:count_words", "counting:CountParams", ":10:5", "is not a transform", None),
    (PIPELINE, "counting:count_words", "countin:count_words", ":10:5", "cannot import 'countin'", "looked up"),
    (PIPELINE, "counting:count_words", ":x", ":10:5", "cannot import ''", None),
    (PIPELINE, "counting:count_words", "..up:x", ":10:5", "cannot import '..up'", None),
    (PIPELINE, "counting:count_words", "embd", ":10:5", "unknown transform 'embd'", "'embed'"),
    (PIPELINE, "counting:count_words", "os", ":10:5", "unknown transform 'os'", "built in"),
    (PIPELINE, "counting:count_words", "_fusion", ":10:5", "unknown transform '_fusion'", None),
    (PIPELINE, "ref(documents)", "ref(docments)", ":11:14", "unknown stage 'docments'", "'documents'"),
    (PIPELINE, "ref(documents)", "'source(shelf, corpse)'", ":11:14", "source 'shelf.corpse'", "'shelf.corpus'"),
    (PIPELINE, "ref(documents)", "documents", ":11:14", "'documents' is no input", "ref(stage)"),
    (PIPELINE, "{texts: ref(documents)}", "{text: ref(documents)}", ":11:5", "input 'texts' is missing", "texts"),
    (
        PIPELINE,
        "{texts: ref(documents)}",
        "{texts: ref(documents), more: ref(documents)}",
        ":11:37",
        "unknown input 'more'",
        "texts",
    ),
    (PIPELINE, "{lowercase: true}", "{lower_case: true}", ":12:14", "unknown key 'lower_case'", "'lowercase'"),
    (PIPELINE, "{lowercase: true}", "{lowercase: maybe}", ":12:14", "not 'maybe'", None),
    (PIPELINE, "{lowercase: true}", "{lowercase: \"{{ var('lst') }}\"}", ":12:14", "var 'lst'", None),
    (PIPELINE, "{lowercase: true}", '{lowercase: "{{ nope }}"}', ":12:14", "'nope' is undefined", None),
    (PIPELINE, "tags: [slow]", "materialized: model", ":13:5", "makes a table, not a model", None),
    # sources
    (PIPELINE, "format: csv", "format: cvs", ":3:5", "unknown format 'cvs'", "'csv'"),
    (PIPELINE, "format: csv", "formt: csv", ":3:5", "'formt'", "'format'"),
    (PIPELINE, "name: shelf", "name: main", ":2:5", "'main' is a reserved schema", None),
    (PIPELINE, "name: shelf", "name: hnm", ":2:5", "'hnm' is a reserved schema", None),
    (PIPELINE, "{corpus: {path: data/corpus.csv}}", "{}", ":4:5", "names no tables", "tables:"),
    (PIPELINE, "{corpus: {path: data/corpus.csv}}", "{corpus: {pth: x}}", ":4:23", "unknown key 'pth'", "'path'"),
    (PIPELINE, "{corpus: {path: data/corpus.csv}}", "{corpses: {path: x}}", ":4:14", "not 'corpses'", "'corpus'"),
    # data tests
    (PIPELINE, "[not_null]", "[not_nul]", ":8:51", "unknown data test 'not_nul'", "'not_null'"),
    (PIPELINE, "[not_null]", "[{in_range: 5}]", ":8:52", "'in_range' has wrong options: 5", None),
    (PIPELINE, "[not_null]", "[{in_range: {mn: 5}}]", ":8:63", "unknown key 'mn'", "'min'"),
    (PIPELINE, "[not_null]", "[{in_range: {min: 1}, not_null: {}}]", ":8:51", "one test", None),
    (PIPELINE, "[not_null]", "[{not_null: {severity: wrn}}]", ":8:63", "not 'wrn'", "'warn'"),
    (PIPELINE, "tags: [slow]", "tests: [not_null]", ":13:13", "belongs to a column", "columns"),
    (PIPELINE, "[not_null]", "[{relationships: {to: report, field: x}}]", ":8:52", "reads 'report'", None),
    # SQL
    ("sql/report.sql", "ref('vectors')", "ref('vectrs')", ":2", "unknown stage 'vectrs'", "'vectors'"),
    ("sql/report.sql", "ref('vectors')", "reff('vectors')", ":2", "'reff' is undefined", "'ref'"),
    ("sql/report.sql", "ref('vectors') }}", "ref('vectors') }", ":2", "template error", None),
    ("sql/report.sql", "count(*)", "{% if 1 %}", ":2", "template error", None),
    (LONG, "var('least')", "var('lest')", ":1", "var 'lest' has no value", "'least'"),
    (LONG, "var('least')", "env_var('HNM_TEST_UNSET')", ":1", "'HNM_TEST_UNSET' is not set", None),
    (LONG, "var('least')", "raise_error('stop here')", ":1", "stop here", None),
    (LONG, "var('least')", "''.__class__.__mro__", ":1", "unsafe", None),
    ("sql/documents.sql", "'corpus'", "'corpse'", ":1", "unknown source 'shelf.corpse'", "'shelf.corpus'"),
    ("sql/documents.sql", "source('shelf', 'corpus')", "ref('report')", "pipelines/tiny.yml:6:5", "circle", "refs"),
    (
        "sql/documents.sql",
        "source('shelf', 'corpus')",
        "ref('documents')",
        "pipelines/tiny.yml:6:5",
        "documents -> documents",
        None,
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "where", "words", "hint"), BAD, ids=[f"{b[0]}: {b[2]}" for b in BAD])
def test_a_bad_project_is_refused(tiny, monkeypatch, file, old, new, where, words, hint):
    monkeypatch.delenv("HNM_TEST_UNSET", raising=False)
    tiny.edit(file, old, new)
    error = tiny.refused()
    assert words in error.what
    assert place(tiny, error) == (file + where if where.startswith(":") else where)
    if hint:
        assert hint in str(error.hint)


def test_several_problems_are_told_at_once(tiny):
    tiny.edit("project.yml", "settings: {cores: 1", "settings: {cores: many, precison: fp32")
    error = tiny.refused()
    assert "unknown key 'precison'" in error.what
    assert "6:12: settings.cores: Input should be a valid integer" in error.why


def test_an_unknown_target_on_the_command_line(tiny):
    error = tiny.refused(target="pord")
    assert (error.what, error.hint) == ("unknown target 'pord'", "did you mean 'prod'?")


def test_a_file_that_is_not_utf8(tiny):
    (tiny.root / "sql/report.sql").write_bytes(b"select 1 as x -- caf\xe9\n")
    error = tiny.refused()
    assert "report.sql is not UTF-8" in error.what
    assert error.where.path == tiny.root / "sql/report.sql"


def test_an_empty_project_file(tiny):
    tiny.write("project.yml", "")
    assert "'name' is missing" in tiny.refused().what


def test_an_empty_pipeline_file_is_no_harm(tiny):
    tiny.write("pipelines/empty.yml", "")
    assert len(tiny.load().manifest.nodes) == 6


def test_a_stage_with_neither_transform_nor_sql(tiny):
    tiny.write("pipelines/more.yml", "stages:\n  - {name: mystery}\n")
    error = tiny.refused()
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
    error = tiny.refused()
    assert "report reads 'vectors', which is disabled" in error.what
    assert error.hint == "enable it, or give report the same `enabled:`"
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


def test_a_project_module_that_ends_the_process(tiny):
    tiny.edit("counting.py", '"""Counts words."""', "raise SystemExit(3)")
    assert (tiny.refused().what, tiny.refused().why) == ("cannot import 'counting'", "SystemExit: 3")


def test_a_project_module_that_fails_to_import(tiny):
    tiny.edit("counting.py", '"""Counts words."""', "import no_such_package")
    error = tiny.refused()
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
    assert isinstance(tiny.refused(), TemplateError)


def test_a_wrong_value_that_came_from_the_environment_is_not_shown(tiny, monkeypatch):
    monkeypatch.setenv("HNM_TEST_SECRET", "hunter2")
    tiny.edit(PIPELINE, "lowercase: true", "lowercase: \"{{ env_var('HNM_TEST_SECRET') }}\"")
    error = tiny.refused()
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


def test_a_circle_is_told_before_what_follows_from_it(tiny):
    tiny.edit(PIPELINE, "[not_null]", "[{relationships: {to: word_counts, field: doc_id}}]")
    tiny.edit("sql/documents.sql", "source('shelf', 'corpus')", "ref('report')")
    assert "circle" in tiny.refused().what


def test_a_column_that_a_table_does_not_have_is_told_in_one_sentence(tiny):
    tiny.edit(PIPELINE, "path: data/corpus.csv", "path: data/corpus.csv, columns: {doc_idd: id}")
    assert tiny.refused().what.endswith("corpus has no column 'doc_idd'; did you mean 'doc_id'?")


def test_a_missing_file_is_told_where_it_is_named(tiny):
    (tiny.root / "data/corpus.csv").unlink()
    with pytest.raises(SourceError, match="no such file") as error:
        tiny.load().plan()
    assert place(tiny, error.value).startswith(PIPELINE)


def test_a_folder_in_place_of_a_sql_file_is_said(tiny):
    (tiny.root / "sql/report.sql").unlink()
    (tiny.root / "sql/report.sql").mkdir()
    error = tiny.refused()
    assert (error.why, error.hint) == ("a folder has that name", None)

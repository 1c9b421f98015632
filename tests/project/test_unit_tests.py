"""Unit tests in YAML: what they become, and every way to write one wrongly."""

import pytest

from hnm.errors import Location, ProjectError, TemplateError

UNIT = "pipelines/unit.yml"
GIVEN = "given: [{input: ref(word_counts), rows: [{words: 1}]}]"


def written(tiny, *entries):
    """The unit tests, one line each."""
    tiny.write(UNIT, "unit_tests:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries))


def one(tiny, entry):
    """The unit test that an entry becomes."""
    written(tiny, entry)
    (test,) = tiny.load().manifest.unit_tests
    return test


def test_a_test_of_sql_holds_the_sql_under_its_own_vars(tiny):
    entry = f"name: many, stage: long_documents, {GIVEN}, expect: {{rows: []}}"
    assert "words >= 2" in one(tiny, entry).work.compiled
    assert "words >= 9" in one(tiny, f"{entry}, vars: {{least: 9}}").work.compiled
    written(tiny, f"{entry}, vars: {{least: 9}}")
    manifest = tiny.load(least=4).manifest
    assert "words >= 9" in manifest.unit_tests[0].work.compiled
    assert "words >= 4" in manifest.nodes["long_documents"].work.compiled


def test_vars_may_decide_what_a_stage_reads(tiny):
    tiny.write("sql/long_documents.sql", "select doc_id, words from {{ ref(var('from', 'word_counts')) }}")
    given = "given: [{input: ref(somewhere), rows: [{words: 1}]}]"
    test = one(tiny, f"name: a, stage: long_documents, vars: {{from: somewhere}}, {given}, expect: {{rows: []}}")
    assert list(test.given) == ["somewhere"]


def test_a_test_of_python_holds_the_parameters_under_its_own_vars(tiny):
    tiny.edit("pipelines/tiny.yml", "{lowercase: true}", "{lowercase: \"{{ var('lower', true) }}\"}")
    entry = "name: a, stage: word_counts, given: [{input: ref(documents), rows: [{text: x}]}], expect: {rows: []}"
    assert one(tiny, entry).work.params.lowercase is True
    assert one(tiny, f"{entry}, vars: {{lower: false}}").work.params.lowercase is False
    assert one(tiny, f"{entry}, params: {{lowercase: false}}").work.params.lowercase is False
    assert list(one(tiny, entry).given) == ["texts"]


def test_types_are_what_the_input_declares_unless_the_test_says_otherwise(tiny):
    given = "input: ref('documents'), rows: [{text: x}], types: {doc_id: INTEGER}"
    test = one(tiny, f"name: a, stage: word_counts, given: [{{{given}}}], expect: {{rows: []}}")
    assert test.given["texts"].types == {"text": "VARCHAR", "doc_id": "INTEGER"}


def test_what_tests_a_disabled_stage_is_disabled_too(tiny):
    tiny.edit("pipelines/tiny.yml", "- name: report", "- {name: report, enabled: false}")
    written(tiny, "name: a, stage: report, expect: {rows: []}")
    assert tiny.load().manifest.unit_tests == ()


def test_a_unit_test_does_not_make_its_stage_stale(tiny):
    tiny.run("+long_documents")
    written(tiny, f"name: many, stage: long_documents, {GIVEN}, expect: {{rows: []}}")
    assert tiny.load().plan(["+long_documents"]).stale() == ()


DOCUMENTS = "name: a, stage: documents"
NONE = "expect: {rows: []}"
TWICE = ", ".join(["{input: 'source(shelf, corpus)', rows: []}"] * 2)


@pytest.mark.parametrize(
    ("entry", "at", "what", "hint"),
    [
        ("name: a, stag: documents", "stag:", "unknown key 'stag'", "'stage'"),
        (f"name: 'a/b', stage: documents, {NONE}", "name:", "name: String should match", None),
        (f"name: a, stage: document, {NONE}", "stage:", "unknown stage 'document'", "'documents'"),
        (f"name: a, stage: shelf, {NONE}", "stage:", "unknown stage 'shelf'", None),
        (f"{DOCUMENTS}, expect: {{}}", "expect:", "either `rows` or `csv`", None),
        (f"{DOCUMENTS}, expect: {{rows: [], csv: x}}", "expect:", "either `rows` or `csv`", None),
        (f"{DOCUMENTS}, expect: {{rows: [x]}}", "x]", "rows.0: Input should be", None),
        (f"{DOCUMENTS}, tolerance: -1, {NONE}", "tolerance:", "tolerance: Input should be", None),
        (f"{DOCUMENTS}, {NONE}", "{name", "'shelf.corpus', which is not given", "rows: []"),
        (
            f"{DOCUMENTS}, given: [{{input: ref(report), rows: []}}], {NONE}",
            "input:",
            "not read 'report'",
            "shelf.corpus",
        ),
        (f"{DOCUMENTS}, given: [{{input: corpus, rows: []}}], {NONE}", "input:", "'corpus' is no input", "ref(stage)"),
        (f"{DOCUMENTS}, given: [{TWICE}], {NONE}", "input:", "given twice", None),
        (f"name: a, stage: long_documents, {GIVEN}, params: {{x: 1}}, {NONE}", "params:", "for Python stages", "vars"),
        (f"name: a, stage: word_counts, params: {{lower: 1}}, {NONE}", "lower:", "unknown key 'lower'", "'lowercase'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tiny, entry, at, what, hint):
    written(tiny, entry)
    with pytest.raises(ProjectError) as caught:
        tiny.load()
    error = caught.value
    assert what in error.what
    assert error.where == Location(tiny.root / UNIT, 2, f"  - {{{entry}}}".rindex(at) + 1)
    assert hint is None or hint in (error.hint or "")


def test_a_name_may_stand_once_per_stage(tiny):
    entry = f"stage: long_documents, {GIVEN}, {NONE}"
    written(tiny, f"name: a, {entry}", f"name: A, {entry}")
    with pytest.raises(ProjectError, match="two unit tests 'A'") as caught:
        tiny.load()
    assert caught.value.where.line == 3


def test_a_model_cannot_be_given_as_rows(tiny):
    tiny.write(
        "learning.py",
        """
        from hnm.transform import Params, transform

        @transform(params=Params, produces="model")
        def learn(inputs, params, context):
            yield from ()

        @transform(params=Params, inputs=("model",))
        def apply(inputs, params, context):
            yield from ()
        """,
    )
    tiny.write(
        "pipelines/models.yml",
        """
        stages:
          - {name: learnt, transform: 'learning:learn'}
          - {name: applied, transform: 'learning:apply', inputs: {model: ref(learnt)}}
        """,
    )
    written(tiny, "name: a, stage: applied, given: [{input: ref(learnt), rows: []}], expect: {rows: []}")
    with pytest.raises(ProjectError, match="'learnt' is a model"):
        tiny.load()


def test_a_var_that_is_missing_is_named_in_the_sql(tiny):
    tiny.write("sql/long_documents.sql", "select * from {{ ref('word_counts') }} {{ var('x') if var('least') > 5 }}")
    written(tiny, f"name: a, stage: long_documents, vars: {{least: 6}}, {GIVEN}, expect: {{rows: []}}")
    with pytest.raises(TemplateError, match="var 'x' has no value") as caught:
        tiny.load()
    assert caught.value.where.path == tiny.root / "sql/long_documents.sql"

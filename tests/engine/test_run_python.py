"""Python stages: what a transform may yield, how it fails, what it leaves behind."""

import pyarrow as pa
import pytest

from hnm.errors import HnmError, SourceError, StageError

PIPELINE = "pipelines/tiny.yml"

STAGE = """
    sources: [{name: shelf, format: csv, tables: {corpus: {path: data/corpus.csv}}}]
    stages: [{name: mine, transform: "mine:make", inputs: {texts: "source(shelf, corpus)"}}]
"""
LONE_STAGE = 'stages: [{name: mine, transform: "mine:make"}]'
HEAD = """\
from hnm.transform import Params, transform


@transform(params=Params, optional_inputs=("texts",))
def make(inputs, params, context):
    import pyarrow as pa

    def batch(**columns):
        return pa.RecordBatch.from_pydict(columns)

"""

FACTORY = """
    from hnm.transform import Params, transform
    import pyarrow as pa
    def making(number):
        @transform(params=Params)
        def made(inputs, params, context):
            yield pa.table({"a": [number]})
        return made
"""


@pytest.fixture
def mine(tiny):
    """A project with one Python stage; `mine(body)` writes the transform's body, which may read `texts`."""

    def write(body):
        tiny.stages(STAGE if "texts" in body else LONE_STAGE)
        lines = "\n".join("    " + line for line in body.splitlines())
        (tiny.root / "mine.py").write_text(HEAD + lines + "\n")
        return tiny

    return write


def test_what_a_transform_may_yield(mine):
    tiny = mine("yield batch(a=[1, 2])\nyield pa.table({'a': [3]})\nyield batch(a=pa.array([], pa.int64()))")
    assert tiny.run().ok
    assert tiny.rows("select a from mine order by a") == [(1,), (2,), (3,)]


def test_no_rows_are_a_table_too(mine):
    tiny = mine("yield batch(a=pa.array([], pa.string()))")
    assert tiny.run().ok
    assert tiny.load().query("select * from mine").schema == pa.schema([("a", pa.string())])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("yield from ()", "yielded nothing"),
        ("import sys\nsys.exit(3)\nyield", "ended with sys.exit(3)"),
        ("return None", "returned a NoneType"),
        ("yield 5", "yielded a int"),
        ("yield [{'a': 1}]", "yielded a list"),
        ("yield batch(a=[1])\nyield 'x'", "yielded a str"),
        ("return batch(a=[1])", "returned a RecordBatch"),
        ("yield pa.table({})", "column"),
        ("yield batch(a=[1], b=['x'])\nyield batch(b=['y'], a=[2])", "columns"),
        ("yield batch(a=[1])\nyield batch(z=[2])", "columns"),
        ("yield batch(a=[1])\nyield batch(a=['2'])", "columns"),
        ("yield batch(a=[1])\nyield batch(a=[2], b=[3])", "columns"),
        ("yield batch(a=[1], A=[2])", "'A' twice"),
        ("yield pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=['a', 'a'])", "'a' twice"),
    ],
)
def test_what_a_transform_may_not_yield(mine, body, words):
    tiny = mine(body)
    error = tiny.failure()
    assert isinstance(error, StageError)
    assert words in str(error)
    assert "mine" not in tiny.load().state()


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("yield batch(a=[1])\nraise ValueError('no good')", 12, "ValueError: no good"),
        ("raise KeyError('k')\nyield", 11, "KeyError: 'k'"),
        ("1 / 0\nyield", 11, "ZeroDivisionError"),
        ("raise AssertionError\nyield", 11, "AssertionError"),
        ("open('gone.txt')\nyield", 11, "FileNotFoundError"),
        ("raise BaseException('panic')\nyield", 11, "BaseException: panic"),
        ("yield from inputs.sql('select * from corpus')  # not texts", 11, "`inputs` of its stage name: texts"),
        ("yield pa.RecordBatch.from_pydict({'a': [1, 'x']})", 11, "ArrowInvalid"),
        ("yield pa.Table.from_batches(inputs.sql('select nope from texts'))", 11, "nope"),
    ],
)
def test_a_transform_that_raises(mine, body, line, words):
    tiny = mine(body)
    error = tiny.failure()
    assert words in str(error)
    assert error.where.path == tiny.root / "mine.py"
    assert error.where.line == line
    assert "mine" not in tiny.load().state()


def test_an_error_that_a_transform_words_itself_stays_as_it_is(mine):
    tiny = mine("from hnm.errors import SourceError\nraise SourceError('what', why='why', hint='hint')\nyield")
    error = tiny.failure()
    assert (error.what, error.why, error.hint) == ("what", "why", "hint")


def test_the_traceback_of_a_transform_is_kept(mine):
    tiny = mine("raise ValueError('no good')\nyield")
    result = tiny.run()
    (log,) = (tiny.root / "target/logs").rglob(f"*{result.invocation_id}*.log")
    assert "Traceback" in log.read_text()
    assert "no good" in log.read_text()


def test_inputs_are_copied_so_that_the_warehouse_is_free(mine):
    tiny = mine(
        "import duckdb, pathlib\n"
        "path = pathlib.Path(context.root) / 'data/warehouse/hnm.duckdb'\n"
        "rows = inputs.sql('select doc_id from texts', batch_rows=1)\n"
        "first = next(rows)\n"
        "with duckdb.connect(str(path)) as writer:\n"
        "    writer.execute('create table beside as select 1 as x').fetchall()\n"
        "yield first\n"
        "yield from rows"
    )
    assert tiny.run().ok
    assert tiny.rows("select count(*) from mine") == [(4,)]


def test_facts_and_bad_rows_are_kept_with_the_stage(mine):
    tiny = mine(
        "from pathlib import Path\n"
        "from hnm.errors import Location\n"
        "context.record(dropped=2)\n"
        "context.bad_row(Location(Path('a.csv'), 7), 'no id', 'x,y')\n"
        "yield batch(a=[1])"
    )
    (result,) = tiny.run().results
    assert (result.outcome, result.quarantined) == ("built", 1)
    assert tiny.load().state()["mine"].facts["dropped"] == 2
    assert tiny.rows("select stage, file, line, reason, excerpt from _hnm.quarantine") == [
        ("mine", "a.csv", 7, "no id", "x,y")
    ]


def test_quarantined_rows_of_a_source(tiny):
    tiny.edit(PIPELINE, "path: data/corpus.csv", "path: data/corpus.csv, on_bad_rows: quarantine")
    tiny.edit("data/corpus.csv", "d2,two,a a", "d2,two,a a\nd2,two,again\n,no id,x")
    result = tiny.run()
    assert result.ok
    assert result.results[0].quarantined == 2
    found = tiny.rows("select stage, line, reason from _hnm.quarantine order by line")
    assert [(stage, line) for stage, line, _ in found] == [("shelf.corpus", 4), ("shelf.corpus", 5)]
    tiny.edit("data/corpus.csv", "\nd2,two,again\n,no id,x", "")
    assert tiny.run().ok
    assert tiny.rows("select * from _hnm.quarantine") == []


def test_bad_rows_that_are_refused_fail_the_source(tiny):
    tiny.edit("data/corpus.csv", "d2,two,a a", ",two,a a")
    result = tiny.run()
    assert [stage.outcome for stage in result.results] == ["failed", *["skipped"] * 5]
    assert "doc_id" in str(result.results[0].error)
    assert tiny.rows("select * from _hnm.quarantine") == []


def test_a_source_file_that_is_missing(tiny):
    (tiny.root / "data/corpus.csv").unlink()
    with pytest.raises(SourceError, match="no such file"):
        tiny.run()


def test_what_a_failed_transform_kept_is_there_when_it_runs_again(mine):
    tiny = mine(
        "mark = context.workdir / 'mark'\n"
        "if not mark.exists():\n"
        "    mark.write_text('half done')\n"
        "    raise ValueError('stop')\n"
        "yield batch(a=[mark.read_text()])"
    )
    assert tiny.failure()
    assert tiny.run().ok
    assert tiny.rows("select a from mine") == [("half done",)]


def test_what_a_failed_transform_kept_is_gone_when_its_input_changed(mine):
    tiny = mine(
        "mark = context.workdir / 'mark'  # reads texts\n"
        "if not mark.exists():\n"
        "    mark.write_text('half done')\n"
        "    raise ValueError('stop')\n"
        "yield batch(a=[1])"
    )
    assert tiny.failure()
    tiny.edit("data/corpus.csv", "a a", "b b")
    assert tiny.failure()


def test_a_transform_that_a_factory_made_depends_on_who_called_it(tiny):
    tiny.write("factory.py", FACTORY)
    tiny.write("mine.py", "from factory import making\nmake, other = making(1), making(2)\n")
    tiny.stages(LONE_STAGE)
    assert tiny.hnm("run").returncode == 0
    tiny.edit(PIPELINE, "mine:make", "mine:other")
    tiny.hnm("run")
    assert tiny.rows("from mine") == [(2,)]
    tiny.edit("mine.py", "making(2)", "making(3)")
    tiny.hnm("run")
    assert tiny.rows("from mine") == [(3,)]


def test_a_version_goes_by_columns_that_are_there(mine):
    tiny = mine("yield batch(a=[1], b=[2])")
    tiny.edit("mine.py", "params=Params", "params=Params, version_by=('A',)")
    assert "no column 'A', by which the transform has it versioned" in tiny.failure().what


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("files=lambda params, root: 1 / 0", "`files` of its transform fails"),
        ("files=lambda params, root: 'mine.py'", "a list of paths is needed"),
        ("files=lambda params, root: ['gone.txt']", "a file that its transform reads is missing: gone.txt"),
        ("identity=lambda params: {'a': {1}}", "'a' must be a text"),
    ],
)
def test_a_declaration_that_fails_is_an_error_of_the_stage(mine, declared, words):
    tiny = mine("yield batch(a=[1])")
    tiny.edit("mine.py", "params=Params", f"params=Params, {declared}")
    with pytest.raises(HnmError) as caught:
        tiny.run()
    assert words in str(caught.value)
    assert caught.value.where.path == tiny.root / PIPELINE


def test_files_are_seen_from_the_projects_folder(mine):
    tiny = mine("yield batch(a=[1])")
    tiny.edit("mine.py", "params=Params", "params=Params, files=lambda params, root: ['project.yml']")
    assert tiny.run().ok  # from another folder than the project's
    assert list(tiny.load().state()["mine"].facts["files"]) == ["project.yml"]

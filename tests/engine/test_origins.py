"""What a transform may know of its inputs' versions, and that knowing it keeps a stage fresh."""

from tiny_project import TinyProject

YAML = """
    sources: [{name: shelf, format: csv, tables: {corpus: {path: data/corpus.csv}}}]
    stages:
      - {name: documents}
      - {name: start, transform: "versions:train", inputs: {texts: ref(documents)}}
      - {name: trained, transform: "versions:train", inputs: {texts: ref(documents), start: ref(start)}}
      - {name: told, transform: "versions:tell", inputs: {model: ref(trained), documents: ref(documents)}}
"""
CODE = '''
"""A model that is a file, and a stage that tells where its inputs are from."""
import pyarrow as pa
from hnm.transform import Params, transform


@transform(params=Params, inputs=("texts",), optional_inputs=("start",), produces="model")
def train(inputs, params, context):
    """The "weights" are the number of texts."""
    context.model_folder.mkdir(parents=True)
    (context.model_folder / "weights").write_text(str(inputs.count("texts")) + str("start" in inputs))
    yield pa.RecordBatch.from_pydict({"step": [1]})


@transform(params=Params, inputs=None)
def tell(inputs, params, context):
    """One row per input."""
    for name in ("documents", "model"):
        origin = inputs.origin(name)
        tables = [f"{table} {version}" for table, version in origin.tables.items()]
        yield pa.RecordBatch.from_pydict({"name": [name], "version": [origin.version], "tables": [", ".join(tables)]})
'''


def test_versions_of_inputs_and_of_what_they_were_made_from(tiny: TinyProject) -> None:
    tiny.stages(YAML, documents="select doc_id, text from {{ source('shelf', 'corpus') }}")
    tiny.write("versions.py", CODE)
    assert tiny.run().ok
    state = tiny.load().state()
    version = {name: done.data_version for name, done in state.items()}
    assert tiny.rows("select * from told order by name") == [
        ("documents", version["documents"], f"shelf.corpus {version['shelf.corpus']}"),
        ("model", version["trained"], f"documents {version['documents']}"),  # that it started from a model is not data
    ]
    assert set(tiny.outcomes().values()) == {"fresh"}


def test_a_changed_text_changes_the_version_that_is_told(tiny: TinyProject) -> None:
    tiny.stages(YAML, documents="select doc_id, text from {{ source('shelf', 'corpus') }}")
    tiny.write("versions.py", CODE)
    assert tiny.run().ok
    before = tiny.rows("select version from told where name = 'documents'")
    tiny.edit("data/corpus.csv", "a a", "b b")
    assert tiny.outcomes()["told"] == "built"
    assert tiny.rows("select version from told where name = 'documents'") != before

"""Incremental stages: whatever changes in their inputs, bringing them up to date equals building them in full."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hnm.api import Project
from hnm.errors import ProjectError

FILES = {
    "project.yml": "name: edits\nvars: {least: 1}\nsettings: {cores: 1, memory_limit: 500MB}\n",
    "rows.py": """
from pathlib import Path
import json
from hnm.transform import Params, transform

class RowsParams(Params):
    path: str

@transform(params=RowsParams, files=lambda params, root: [root / params.path])
def rows(inputs, params, context):
    import pyarrow as pa
    found = json.loads((context.root / params.path).read_text())
    schema = pa.schema([("query_id", pa.string()), ("doc_id", pa.string()), ("score", pa.int64())])
    yield pa.RecordBatch.from_pylist(found, schema)

@transform(params=Params, inputs=("best",))
def shout(inputs, params, context):
    context.record(rows_read=inputs.count("best"))
    yield from inputs.sql("select query_id, upper(doc_id) as doc_id, score from best order by query_id")
""",
    "pipelines/stages.yml": """
stages:
  - {name: candidates, transform: "rows:rows", params: {path: candidates.json}, unique_key: [query_id, doc_id]}
  - {name: bonus, transform: "rows:rows", params: {path: bonus.json}, unique_key: [query_id, doc_id]}
  - name: scored
    unique_key: [query_id, doc_id]
    incremental:
      key: query_id
      inputs:
        candidates: query_id
        bonus: {sql: "select candidates.query_id from candidates join changed using (doc_id)"}
  - name: best
    unique_key: query_id
    incremental: {key: query_id, inputs: {scored: query_id}}
  - name: shouted
    transform: "rows:shout"
    inputs: {best: ref(best)}
    materialized: lance
    unique_key: query_id
    incremental: {key: query_id, inputs: {best: query_id}}
""",
    # A document's bonus counts for every query that has it: a change there touches queries that did not change.
    "sql/scored.sql": """
select candidates.query_id, doc_id, candidates.score + coalesce(sum(bonus.score), 0)::bigint as score
from {{ ref('candidates') }} as candidates left join {{ ref('bonus') }} as bonus using (doc_id)
group by candidates.query_id, doc_id, candidates.score
""",
    "sql/best.sql": """
select query_id, arg_max(doc_id, (score, doc_id)) as doc_id, max(score) as score
from {{ ref('scored') }} where score >= {{ var('least') }} group by query_id
""",
}
STAGES = ("scored", "best", "shouted")

pair = st.tuples(st.sampled_from("abcd"), st.sampled_from("vwxyz"))
table = st.dictionaries(pair, st.integers(0, 5), max_size=12)
steps = st.lists(st.tuples(table, table, st.integers(1, 2)), min_size=2, max_size=3)


def write(root: Path, name: str, rows: dict[tuple[str, str], int]) -> None:
    listed = [{"query_id": query, "doc_id": doc, "score": score} for (query, doc), score in rows.items()]
    (root / name).write_text(json.dumps(listed))


@pytest.fixture
def edits(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    write(tmp_path, "candidates.json", {("a", "v"): 1, ("a", "w"): 3, ("b", "v"): 2})
    write(tmp_path, "bonus.json", {("-", "v"): 1})
    return tmp_path


def content(root: Path) -> dict[str, list[dict[str, object]]]:
    project = Project.load(root)
    return {name: project.query(f"select * from {name} order by all").to_pylist() for name in STAGES}


def run(root: Path, full_refresh: bool = False, least: int = 1) -> dict[str, str]:
    project = Project.load(root, variables={"least": least})
    result = project.run(project.plan(full_refresh=full_refresh))
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    return {stage.name: stage.reason for stage in result.results}


@given(steps)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_incremental_equals_full(edits: Path, steps: list[tuple[dict, dict, int]]) -> None:
    for candidates, bonus, least in steps:
        write(edits, "candidates.json", candidates)
        write(edits, "bonus.json", bonus)
        run(edits, least=least)
        incremental = content(edits)
        run(edits, full_refresh=True, least=least)
        assert incremental == content(edits)


def test_only_touched_keys_are_made_anew(edits: Path) -> None:
    run(edits)
    write(edits, "candidates.json", {("a", "v"): 1, ("a", "w"): 3, ("b", "v"): 2, ("c", "z"): 4})
    reasons = run(edits)
    assert reasons["scored"].endswith("(1 keys)")
    assert Project.load(edits).state()["shouted"].facts["rows_read"] == 1
    write(edits, "bonus.json", {("-", "v"): 2})  # a and b have v
    assert run(edits)["scored"].endswith("(2 keys)")


def test_a_deleted_key_leaves(edits: Path) -> None:
    run(edits)
    write(edits, "candidates.json", {("b", "v"): 2})
    run(edits)
    assert [row["query_id"] for row in content(edits)["best"]] == ["b"]


def test_changed_parameter_rebuilds_in_full(edits: Path) -> None:
    run(edits)
    assert run(edits, least=3)["best"] == "var least 1 -> 3"


def test_other_columns_are_refused_unless_declared(edits: Path) -> None:
    run(edits)
    source = edits / "sql" / "scored.sql"
    source.write_text(source.read_text().replace("as score", "as score, 1 as extra"))
    (edits / "sql" / "best.sql").write_text("select * exclude (doc_id) from {{ ref('scored') }}")
    stages = edits / "pipelines" / "stages.yml"
    text = stages.read_text().replace(
        "unique_key: query_id\n    incremental: {key: query_id, inputs: {scored",
        "incremental: {key: query_id, inputs: {scored",
    )
    stages.write_text(text.replace("{best: query_id}}", "{best: query_id}}\n    enabled: false"))
    run(edits)
    source.write_text(source.read_text().replace("1 as extra", "1 as other"))
    project = Project.load(edits)
    failed = [stage for stage in project.run().results if stage.error]
    assert failed[0].name == "best" and "extra, other" in str(failed[0].error)
    stages.write_text(
        stages.read_text().replace("{scored: query_id}}", "{scored: query_id}, on_schema_change: rebuild}")
    )
    run(edits)
    assert "other" in Project.load(edits).state()["best"].columns


def test_unknown_input_is_refused(edits: Path) -> None:
    stages = edits / "pipelines" / "stages.yml"
    stages.write_text(stages.read_text().replace("inputs: {scored: query_id}", "inputs: {score: query_id}"))
    with pytest.raises(ProjectError, match="unknown input 'score'"):
        Project.load(edits)


# A log that only grows.

LOG = """
stages:
  - {name: candidates, transform: "rows:rows", params: {path: candidates.json}, unique_key: [query_id, doc_id]}
  - {name: bonus, transform: "rows:rows", params: {path: bonus.json}, unique_key: [query_id, doc_id]}
  - name: logged
    incremental: {strategy: append, inputs: {candidates: [query_id, doc_id]}}
"""


@pytest.fixture
def log(edits: Path) -> Path:
    (edits / "pipelines/stages.yml").write_text(LOG)
    (edits / "sql/logged.sql").write_text(
        "select query_id || doc_id as pair, score + (select count(*) from {{ ref('bonus') }}) as score "
        "from {{ ref('candidates') }}"
    )
    for name in ("scored", "best"):
        (edits / f"sql/{name}.sql").unlink()
    return edits


def logged(root: Path) -> list[dict[str, object]]:
    return Project.load(root).query("select * from logged order by all").to_pylist()


@given(st.lists(st.tuples(table, table), min_size=2, max_size=4))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_appending_equals_full(log: Path, steps: list[tuple[dict, dict]]) -> None:
    for candidates, bonus in steps:
        write(log, "candidates.json", candidates)
        write(log, "bonus.json", bonus)
        run(log)
        appended = logged(log)
        run(log, full_refresh=True)
        assert appended == logged(log)


def test_only_new_rows_are_appended_and_an_edit_rebuilds(log: Path) -> None:
    run(log)
    write(log, "candidates.json", {("a", "v"): 1, ("a", "w"): 3, ("b", "v"): 2, ("b", "z"): 4})
    assert run(log)["logged"].endswith("(1 keys)")
    write(log, "candidates.json", {("a", "v"): 5, ("a", "w"): 3, ("b", "v"): 2, ("b", "z"): 4})
    assert "keys" not in run(log)["logged"]
    assert {"pair": "av", "score": 6} in logged(log)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("{strategy: append, key: pair, inputs: {candidates: [query_id, doc_id]}}", "takes no `key`"),
        ("{strategy: append, inputs: {candidates: query_id, bonus: query_id}}", "follows one input"),
        ("{strategy: append, inputs: {candidates: {sql: select 1}}}", "follows one input"),
        ("{inputs: {candidates: query_id}}", "`key` is needed"),
    ],
)
def test_contradictions_are_refused(log: Path, declared: str, words: str) -> None:
    path = log / "pipelines/stages.yml"
    path.write_text(LOG.replace("{strategy: append, inputs: {candidates: [query_id, doc_id]}}", declared))
    with pytest.raises(ProjectError, match=words):
        Project.load(log)

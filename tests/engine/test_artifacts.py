"""target/manifest.json and target/run_results.json, in the form that readers of dbt's artifacts expect."""

import json
from datetime import datetime

import pytest

from hnm.api import SilentListener
from hnm.engine.artifacts import write_json
from hnm.engine.run import Invocation


def artifact(tiny, name):
    return json.loads((tiny.root / "target" / name).read_text())


def manifest(tiny):
    return json.loads(tiny.load().write_manifest().read_text())


def test_the_manifest_has_what_dbt_requires(tiny):
    found = manifest(tiny)
    assert found["metadata"]["dbt_schema_version"] == "https://schemas.getdbt.com/dbt/manifest/v12.json"
    assert found["metadata"]["project_name"] == "tiny"
    assert set(found) == {
        "metadata", "nodes", "sources", "macros", "docs", "exposures", "metrics", "groups", "selectors", "disabled",
        "parent_map", "child_map", "group_map", "saved_queries", "semantic_models", "unit_tests",
    }  # fmt: skip


def test_a_sql_stage_is_a_model_node(tiny):
    node = manifest(tiny)["nodes"]["model.tiny.long_documents"]
    assert node["resource_type"] == "model"
    assert node["original_file_path"] == "sql/long_documents.sql"
    assert node["depends_on"]["nodes"] == ["model.tiny.word_counts"]
    assert node["config"]["materialized"] == "table"
    assert "{{ var('least') }}" in node["raw_code"]
    assert node["compiled_code"].endswith("where words >= 2\n")
    assert node["language"] == "sql"
    assert len(node["checksum"]["checksum"]) == 64


def test_a_python_stage_is_a_model_node_of_another_language(tiny):
    node = manifest(tiny)["nodes"]["model.tiny.word_counts"]
    assert node["language"] == "python"
    assert node["compiled_code"] is None
    assert node["original_file_path"] == "pipelines/tiny.yml"
    assert node["tags"] == ["slow"]
    assert node["meta"]["hnm"] == {"kind": "python", "transform": "count_words", "incremental": False}


def test_a_source_table_is_a_source_node(tiny):
    found = manifest(tiny)
    source = found["sources"]["source.tiny.shelf.corpus"]
    assert (source["source_name"], source["name"], source["identifier"]) == ("shelf", "corpus", "corpus")
    assert source["loader"] == "csv"
    assert found["nodes"]["model.tiny.documents"]["sources"] == [["shelf", "corpus"]]


def test_columns_and_the_graph_are_in_it(tiny):
    found = manifest(tiny)
    assert found["nodes"]["model.tiny.documents"]["columns"]["text"]["data_type"] == "VARCHAR"
    assert found["parent_map"]["model.tiny.report"] == ["model.tiny.long_documents", "model.tiny.vectors"]
    assert found["child_map"]["model.tiny.word_counts"] == ["model.tiny.long_documents", "model.tiny.vectors"]
    assert set(found["parent_map"]) == set(found["child_map"]) == {*found["nodes"], *found["sources"]}


def test_values_of_the_environment_are_not_in_it(tiny, monkeypatch):
    monkeypatch.setenv("TINY_KEY", "hunter2-secret")
    tiny.write("sql/report.sql", "select '{{ env_var('TINY_KEY') }}' as key from {{ ref('long_documents') }}")
    text = tiny.load().write_manifest().read_text()
    assert "hunter2" not in text
    assert "select '***' as key" in text


def test_parse_writes_the_manifest(tiny):
    assert tiny.hnm("parse").returncode == 0
    assert artifact(tiny, "manifest.json")["nodes"]


def test_a_run_leaves_its_results(tiny):
    run = tiny.run()
    found = artifact(tiny, "run_results.json")
    assert found["metadata"]["dbt_schema_version"] == "https://schemas.getdbt.com/dbt/run-results/v6.json"
    assert found["metadata"]["invocation_id"] == run.invocation_id
    assert artifact(tiny, "manifest.json")["metadata"]["invocation_id"] == run.invocation_id
    assert found["elapsed_time"] > 0
    results = {result["unique_id"]: result for result in found["results"]}
    assert set(results) == {"source.tiny.shelf.corpus", *artifact(tiny, "manifest.json")["nodes"]}
    result = results["model.tiny.vectors"]
    assert result["status"] == "success"
    assert result["adapter_response"] == {"rows_affected": 4}
    assert [step["name"] for step in result["timing"]] == ["compile", "execute"]
    began, ended = (datetime.fromisoformat(result["timing"][1][name]) for name in ("started_at", "completed_at"))
    assert 0 <= (ended - began).total_seconds() <= found["elapsed_time"]


def test_fresh_failed_and_skipped_stages_have_dbts_words(built):
    built.edit("sql/long_documents.sql", "doc_id, words", "doc_id, words, error('broken') as x")
    built.run()
    results = {result["unique_id"]: result for result in artifact(built, "run_results.json")["results"]}
    assert results["model.tiny.documents"]["status"] == "success"
    assert results["model.tiny.documents"]["adapter_response"] == {"rows_affected": 0}
    assert results["model.tiny.long_documents"]["status"] == "error"
    assert "broken" in results["model.tiny.long_documents"]["message"]
    assert results["model.tiny.report"]["status"] == "skipped"


def test_an_interrupted_run_leaves_what_it_did(built):
    built.edit("project.yml", "{least: 2}", "{least: 3}")
    project = built.load()

    class Impatient(SilentListener):
        def started(self, entry, index, total):
            if entry.node.name == "report":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.run(project.plan(["long_documents+"]), Impatient(), Invocation(id="interrupted"))
    found = artifact(built, "run_results.json")
    assert found["metadata"]["invocation_id"] == "interrupted"
    assert [result["unique_id"] for result in found["results"]] == ["model.tiny.long_documents"]


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Circular"):
        circle = {}
        circle["self"] = circle
        write_json(path, circle)
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(path.parent.iterdir()) == [path]


def test_a_run_whose_results_cannot_be_written_is_still_a_success(built):
    shadow = built.root / "target/run_results.json"
    shadow.unlink()
    shadow.mkdir()
    assert built.run().ok

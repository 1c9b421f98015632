"""What other tools read of a project and of a run: `target/manifest.json` and `target/run_results.json`.

Both follow dbt's schemas (manifest v12, run results v6), so that readers of dbt's artifacts cope. A stage is a model
node, a table of a source a source node; what dbt has no word for stands under `meta.hnm`.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hnm.engine.run import RunResult, StageResult
from hnm.masking import masked
from hnm.project.manifest import Manifest, Node, SqlText
from hnm.project.references import is_pinned, stage_of
from hnm.sqltext import quote, split_name
from hnm.warehouse.state import now
from hnm.warehouse.warehouse import qualified

MANIFEST_SCHEMA = "https://schemas.getdbt.com/dbt/manifest/v12.json"
RESULTS_SCHEMA = "https://schemas.getdbt.com/dbt/run-results/v6.json"
DATABASE = "hnm"

Timeline = Mapping[str, tuple[str, str]]
"""By stage, when it began and ended (UTC, ISO 8601)."""

_NOTHING_OF_THESE = (
    "macros", "docs", "exposures", "metrics", "groups", "disabled", "group_map", "saved_queries", "semantic_models",
    "unit_tests",
)  # fmt: skip
_STATUS = {"built": "success", "fresh": "success", "failed": "error"}


def manifest_artifact(manifest: Manifest, invocation_id: str | None = None) -> dict[str, Any]:
    """The project in the form of dbt's manifest. Values of environment variables are not in it."""
    ids = {name: _unique_id(manifest, node) for name, node in manifest.nodes.items()}
    parents = {ids[name]: [ids[parent] for parent in node.depends_on] for name, node in manifest.nodes.items()}
    children: dict[str, list[str]] = {unique_id: [] for unique_id in parents}
    for child, above in parents.items():
        for parent in above:
            children[parent].append(child)
    models = [node for node in manifest.nodes.values() if node.kind != "source"]
    return {
        "metadata": _metadata(manifest, MANIFEST_SCHEMA, invocation_id)
        | {"project_name": manifest.config.name, "adapter_type": "duckdb"},
        "nodes": {ids[node.name]: _model(manifest, node, parents[ids[node.name]]) for node in models},
        "sources": {
            ids[node.name]: _source(manifest, node) for node in manifest.nodes.values() if node.kind == "source"
        },
        "parent_map": parents,
        "child_map": children,
        "selectors": {name: chosen.model_dump(mode="json") for name, chosen in manifest.config.selectors.items()},
        **{name: {} for name in _NOTHING_OF_THESE},
    }


def results_artifact(manifest: Manifest, run: RunResult, timeline: Timeline) -> dict[str, Any]:
    """A run in the form of dbt's run results; a fresh stage counts as a success that affected no rows."""
    return {
        "metadata": _metadata(manifest, RESULTS_SCHEMA, run.invocation_id),
        "results": [_result(manifest, result, timeline) for result in run.results],
        "elapsed_time": round(run.seconds, 3),
        "args": {"target": manifest.target},
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file that is either the old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_text(json.dumps(content, ensure_ascii=False, default=str), encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _metadata(manifest: Manifest, schema: str, invocation_id: str | None) -> dict[str, Any]:
    from hnm import __version__

    return {
        "dbt_schema_version": schema,
        "dbt_version": f"hnm {__version__}",
        "generated_at": now(),
        "invocation_id": invocation_id,
        "env": {},
    }


def _unique_id(manifest: Manifest, node: Node) -> str:
    return f"{'source' if node.kind == 'source' else 'model'}.{manifest.config.name}.{node.name}"


def _model(manifest: Manifest, node: Node, parents: Iterable[str]) -> dict[str, Any]:
    sql = node.work if isinstance(node.work, SqlText) else None
    code = sql.template if sql else ""
    tags = list(node.config.tags)
    return {
        **_common(manifest, node),
        "resource_type": "model",
        "alias": node.table,
        "checksum": {"name": "sha256", "checksum": hashlib.sha256(code.encode()).hexdigest()},
        "config": {
            "enabled": True,
            "materialized": node.materialized,
            "unique_key": list(node.config.key) or None,
            "tags": tags,
            "meta": _meta(node),
        },
        "tags": tags,
        "columns": {
            column.name: {"name": column.name, "description": column.description, "data_type": column.type}
            for column in node.config.columns
        },
        "depends_on": {"macros": [], "nodes": list(parents)},
        "refs": [_ref(name) for name in node.reads if not split_name(name)[0]],
        "sources": [name.split(".") for name in node.depends_on if "." in name],
        "language": "sql" if sql else "python",
        "raw_code": code,
        "compiled": sql is not None,
        "compiled_code": masked(sql.compiled, node.env_read.values()) if sql else None,
    }


def _ref(reference: str) -> dict[str, str]:
    version = {"version": reference.partition("@")[2]} if is_pinned(reference) else {}
    return {"name": stage_of(reference), **version}


def _source(manifest: Manifest, node: Node) -> dict[str, Any]:
    return {
        **_common(manifest, node),
        "resource_type": "source",
        "source_name": node.schema,
        "source_description": node.config.description,
        "loader": str(_meta(node)["hnm"]["transform"]),
        "identifier": node.table,
        "tags": list(node.config.tags),
    }


def _common(manifest: Manifest, node: Node) -> dict[str, Any]:
    file = node.work.path if isinstance(node.work, SqlText) else node.where.path
    path = file.relative_to(manifest.root).as_posix() if file.is_relative_to(manifest.root) else str(file)
    return {
        "database": DATABASE,
        "schema": node.schema,
        "name": node.table,
        "package_name": manifest.config.name,
        "path": path,
        "original_file_path": path,
        "unique_id": _unique_id(manifest, node),
        "fqn": [manifest.config.name, *node.name.split(".")],
        "description": node.config.description,
        "meta": _meta(node),
        "relation_name": _relation(node),
    }


def _meta(node: Node) -> dict[str, Any]:
    transform = None if isinstance(node.work, SqlText) else node.work.transform.name
    return {"hnm": {"kind": node.kind, "transform": transform, "incremental": node.config.incremental is not None}}


def _relation(node: Node) -> str:
    return f"{quote(DATABASE)}.{qualified(node.name)}"


def _result(manifest: Manifest, result: StageResult, timeline: Timeline) -> dict[str, Any]:
    node = manifest.nodes[result.name]
    status = _STATUS.get(result.outcome, "skipped")
    ran = result.outcome in ("built", "failed")
    return {
        "unique_id": _unique_id(manifest, node),
        "status": status,
        "timing": list(_timing(timeline.get(result.name))) if ran else [],
        "thread_id": "main",
        "execution_time": round(result.seconds, 3),
        "adapter_response": {} if status != "success" else {"rows_affected": result.row_count if ran else 0},
        "message": str(result.error) if result.error else f"{result.outcome}: {result.reason}",
        "failures": None,
        "compiled": isinstance(node.work, SqlText),
        "compiled_code": None,
        "relation_name": _relation(node),
    }


def _timing(times: tuple[str, str] | None) -> Iterator[dict[str, str]]:
    if times:
        for name, (began, ended) in (("compile", (times[0], times[0])), ("execute", times)):
            yield {"name": name, "started_at": _utc(began), "completed_at": _utc(ended)}


def _utc(moment: str) -> str:
    """dbt's readers expect `Z`."""
    return datetime.fromisoformat(moment).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

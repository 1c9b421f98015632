"""The card of an export: README.md, which says what the files hold and what made them, for people and for the hub."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import hnm
from hnm.dataset.find import DatasetVersion
from hnm.dataset.formats._format import Format, Options, Told
from hnm.dataset.selection import Selection

if TYPE_CHECKING:
    from hnm.dataset.record import Record

CARD = "README.md"
MARK = "hnm_export"
"""The key in the card's head by which a folder is known to be an export, which another export may replace."""

ANY_SHARD = "?????-of-?????.*"
_SPLIT = re.compile(r"\w+(\.\w+)*")
_LOADS = {
    "parquet": 'load_dataset("parquet", data_files={data_files})',
    "json": 'load_dataset("json", data_files={data_files})',
    "csv": 'load_dataset("csv", data_files={data_files})',
}


@dataclass(frozen=True)
class Exported:
    """What was exported, and how. `project`: its name. `record`: what made the version, where that was kept."""

    project: str
    version: DatasetVersion
    format_name: str
    form: Format
    selection: Selection
    options: Options
    told: Told
    record: "Record | None" = None


def is_export(folder: Path) -> bool:
    """Was the folder written by an export?"""
    card = folder / CARD
    try:
        return card.read_text(encoding="utf-8").startswith("---\n") and f"\n{MARK}:" in card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def card(exported: Exported) -> str:
    """The text of README.md. Nothing in it depends on when the export was made."""
    return f"---\n{_head(exported)}---\n\n" + "\n".join(_body(exported))


def _head(exported: Exported) -> str:
    head: dict[str, Any] = {"tags": ["hard-negatives", "reranking"], "task_categories": ["text-ranking"]}
    if exported.form.loads_as:
        files = [{"split": name, "path": path} for name, path in _files(exported).items()]
        head["configs"] = [{"config_name": "default", "data_files": files}]
    version = exported.version
    head[MARK] = {
        "stage": version.stage,
        "lance_version": version.lance_version,
        "data_version": version.data_version,
        "format": exported.format_name,
    }
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True)


def _files(exported: Exported) -> dict[str, str]:
    """The files by split, as `datasets` may call it: it takes letters, digits and _ alone, and no `all`."""
    files: dict[str, str] = {}
    for split in sorted(exported.told.rows, key=lambda split: not _SPLIT.fullmatch(split)):
        name = split if _SPLIT.fullmatch(split) else re.sub(r"\W", "_", split)
        while name in files or name == "all":
            name += "_"
        files[name] = f"{re.sub(r'[][]', '?', split)}-{ANY_SHARD}"
    return files


def _body(exported: Exported) -> Iterator[str]:
    version, form = exported.version, exported.form
    yield f"# {exported.project}: {version.name}\n"
    yield f"Written by hnm {hnm.__version__}. {form.summary}.\n"
    yield from _table(
        {
            "stage": version.stage,
            "version": f"{version.lance_version} ({', '.join(version.tags) or 'no tag'})",
            "content digest": version.data_version,
            "built at": version.built_at,
            "rows of the version": f"{version.row_count:,}",
            "exported": exported.selection,
            "negatives at most": exported.options.negatives or "all",
        }
    )
    yield "\n## Rows\n"
    yield from _table({split: f"{count:,}" for split, count in exported.told.rows.items()})
    yield from (f"\n{note}" for note in exported.told.notes)
    if form.loads_as:
        call = _LOADS[form.loads_as].format(data_files=json.dumps(_files(exported), ensure_ascii=False))
        yield f"\n## Read it\n\n```python\nfrom datasets import load_dataset\n\nrows = {call}\n```"
    if exported.record is not None:
        yield from _origin(exported.record)
    yield ""


def _origin(record: "Record") -> Iterator[str]:
    """What made the version, from its record. Who and on which machine stays at home."""
    yield "\n## What made it\n"
    yield from _table({"fingerprint": record.fingerprint, **{f"code: {k}": v for k, v in record.code.items()}})
    yield "\n### Stages above it\n"
    yield from _table({entry.stage: entry.data_version for entry in record.ancestry})
    yield "\n### Packages\n"
    yield from _table(record.packages)
    if record.statistics:
        yield "\n### Statistics\n"
        text = json.dumps(record.statistics, indent=2, ensure_ascii=False, default=str)
        yield f"```json\n{text}\n```"


def _table(rows: Mapping[str, object]) -> Iterator[str]:
    yield "| | |\n|---|---|"
    for name, value in rows.items():
        yield f"| {_cell(name)} | {_cell(value)} |"


def _cell(value: object) -> str:
    """A value that cannot break out of its cell, nor be read as HTML."""
    text = " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("&", "&amp;").replace("<", "&lt;")

"""Write a new project: the same pipelines and SQL as the example's, over somebody else's data."""

import json
import re
import shutil
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from hnm.errors import Location, ProjectError, SourceError, nearest
from hnm.project.config_base import NAME
from hnm.project.root import PROJECT_FILE
from hnm.readers._files import existing_folder, opened, raw_lines

SOURCE_KINDS = ("api_reference", "beir", "files", "triplets")
FILE_FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
TABLES = ("corpus", "queries", "judgments", "impressions")
SOURCES_FILE = Path("pipelines") / "sources.yml"
_WRITTEN = ("pipelines", "sql")
_LINES_LOOKED_AT = 10_000
_QUOTED = re.compile(rb'"([^"]|"")*"')
_IGNORED = "target/\ndata/warehouse/\n"


_AWAY: dict[str, Any] = {
    "name": "away",
    "description": "Docstrings of installed libraries, on which no model is trained and all are tested",
    "format": "api_reference",
    "options": {"packages": ["python", "numpy"]},
    "enabled": "{{ var('away', 'away') == 'away' }}",
}
_LOG_STAGES: list[dict[str, Any]] = [
    {
        "name": "impressions",
        "description": "Documents shown and clicked, from the click log",
        "columns": [{"name": "position", "tests": ["not_null", {"in_range": {"min": 1}}]}],
    },
    {
        "name": "unknown_impressions",
        "description": "Impressions that name a document or query that does not exist, with the reason",
        "columns": [
            {
                "name": "problem",
                "tests": [{"accepted_values": {"values": ["query_left_out", "document_left_out"], "severity": "warn"}}],
            }
        ],
    },
]


@dataclass(frozen=True)
class SourceSpec:
    """What `--source KIND:PATH` and `--clicks PATH` say."""

    kind: str
    path: Path | None
    clicks: Path | None = None


def parse_source(text: str | None, clicks: Path | None) -> SourceSpec:
    """Raises ProjectError for an unknown kind, SourceError when the path does not exist."""
    kind, _, path = (text or "api_reference").partition(":")
    if kind not in SOURCE_KINDS:
        raise ProjectError(
            f"unknown kind of source {kind!r}",
            where=Location(Path("--source")),
            hint=nearest(kind, SOURCE_KINDS) or "beir:PATH, files:PATH, triplets:PATH or api_reference",
        )
    if clicks and not path:
        raise ProjectError("--clicks is a log over a collection", hint="name the collection too: --source beir:PATH")
    if (kind != "api_reference") != bool(path):
        raise ProjectError(f"--source {kind} {'takes no' if path else 'needs a'} path", hint="for example beir:PATH")
    for wanted in (Path(path) if path else None, clicks):
        if wanted is not None:
            _check_place(wanted, "--clicks" if wanted is clicks else "--source")
    return SourceSpec(kind, Path(path).resolve() if path else None, clicks.resolve() if clicks else None)


def _check_place(path: Path, option: str) -> None:
    """Raises SourceError for a path that cannot be written into pipelines/sources.yml as one that is there."""
    if not path.exists():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = (
            nearest(path.name, beside)
            or "name one that does; a pattern for several files goes into pipelines/sources.yml"
        )
        raise SourceError(f"{path} does not exist", where=Location(Path(option)), hint=hint)
    if re.search(r"\{[{%#]", str(path.resolve())):
        hint = "call it otherwise: `{{`, `{%` and `{#` begin templates in YAML files"
        raise SourceError(f"{path} would be read as a template", where=Location(Path(option)), hint=hint)


def scaffold() -> Path:
    """The folder of the example: inside the installed package, or the repository itself."""
    packaged = Path(__file__).parent.parent / "scaffold"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent.parent


def init_project(folder: Path, source: SourceSpec, name: str | None = None) -> Path:
    """Write a project into `folder`, which must not hold one. Returns its project.yml.

    Raises ProjectError when the folder is taken or cannot be made, or the name is no name, and OSError, having removed
    what it wrote, when files cannot be written.
    """
    name = name or re.sub(r"\W+", "_", folder.resolve().name).strip("_") or "project"
    if not re.match(NAME, name):
        hint = "a letter from a to z or _, then letters, digits and _; give one with --name"
        raise ProjectError(f"{name!r} is no project name", hint=hint)
    if folder.is_file():
        raise ProjectError(f"{folder} is a file", where=Location(folder), hint="name a folder, new or empty")
    taken = [entry for entry in (PROJECT_FILE, *_WRITTEN) if (folder / entry).exists()]
    if taken:
        raise ProjectError(
            f"{folder} already holds {', '.join(taken)}", where=Location(folder), hint="choose an empty folder"
        )
    clicks = source.clicks or (source.path and source.kind == "files" and _table_file(source.path, "impressions"))
    sources = _sources(source, clicks or None)
    judged = source.kind != "files" or source.path is None or _table_file(source.path, "judgments") is not None
    example = scaffold()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"{folder} cannot be made"
        raise ProjectError(what, where=Location(folder), why=error.strerror, hint="name a folder elsewhere") from None
    with_clicks = source.kind == "api_reference" or bool(clicks)
    text = _project_text((example / PROJECT_FILE).read_text(encoding="utf-8"), name, source, with_clicks, judged)
    try:
        _write(folder, example, text, sources)
    except OSError:  # half a project would be in the way of the next attempt
        for entry in _WRITTEN:
            shutil.rmtree(folder / entry, ignore_errors=True)
        (folder / PROJECT_FILE).unlink(missing_ok=True)
        raise
    return folder / PROJECT_FILE


def _write(folder: Path, example: Path, text: str, sources: str | None) -> None:
    for part in _WRITTEN:
        shutil.copytree(example / part, folder / part)
    if sources is not None:
        (folder / SOURCES_FILE).write_text(sources, encoding="utf-8")
    (folder / PROJECT_FILE).write_text(text, encoding="utf-8")
    _ignore_what_is_built(folder / ".gitignore")


def _ignore_what_is_built(path: Path) -> None:
    """Add our lines to a .gitignore, whose last line may have no end: it must go on ignoring what it did."""
    others = path.read_bytes() if path.exists() else b""
    begun = "\n" if others and not others.endswith(b"\n") else ""
    with path.open("a", encoding="utf-8") as ignored:
        ignored.write(begun + _IGNORED)


def _project_text(example: str, name: str, source: SourceSpec, with_clicks: bool, judged: bool) -> str:
    """The example's project.yml under another name; its comments stay."""
    text = re.sub(r"^name: .*$", f"name: {name}", example, flags=re.MULTILINE)
    if source.path:
        # JSON's quotes are YAML's too: a folder may be called `a: b`.
        description = json.dumps(f"Hard negatives and a reranker for {source.path.name}", ensure_ascii=False)
        text = re.sub(r"^description: .*$", lambda _: f"description: {description}", text, flags=re.MULTILINE)
    origin = "clicks" if with_clicks else "judgments"
    without = "" if judged else "\n  judgments_from: clicks            # there are none: clicks judge test queries too"
    return re.sub(r"^(  positives_from:) \w+(.*)$", rf"\1 {origin}\2{without}", text, flags=re.MULTILINE)


def _sources(source: SourceSpec, clicks: Path | None) -> str | None:
    """pipelines/sources.yml for the source; None for the example's own."""
    if source.path is None:
        return None
    if source.kind == "beir":
        _require_collection(source.path)
    if source.kind in ("beir", "triplets"):
        collection = {"name": "collection", "format": source.kind, "options": {"path": str(source.path)}}
        tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES if name != "impressions"}
        declared: list[dict[str, Any]] = [collection | ({"tables": tables} if source.kind == "triplets" else {})]
    else:
        declared = _file_sources(source.path, judged=clicks is None)
    stages: list[dict[str, Any]] = []
    if clicks:
        log = {"impressions": _file_options(clicks)}
        declared.append({"name": "clicks", "format": _format(clicks), "tables": log})
        stages += _LOG_STAGES
    for entry in declared:
        entry["options"] = {**entry.get("options", {}), "on_bad_rows": "quarantine"}
    body = yaml.safe_dump({"sources": [*declared, _AWAY], "stages": stages}, sort_keys=False, allow_unicode=True)
    head = (
        "# Where the data comes from: the only file that differs from one project to the next.\n"
        "# on_bad_rows: `quarantine` sets malformed rows aside, counted, in _hnm.quarantine; `refuse` stops at them.\n"
    )
    return head + body


def _require_collection(folder: Path) -> None:
    """Raises SourceError when a folder is no collection in BEIR's form: now, and not at the first run."""
    from hnm.readers.beir import BeirParams, beir_files

    for table in TABLES:
        if table != "impressions":
            beir_files(BeirParams(path=str(folder), table=table), folder)


def _file_sources(folder: Path, judged: bool) -> list[dict[str, Any]]:
    """A source per file format, for corpus, queries and judgments in a folder of CSV, JSONL or Parquet files.

    `judged`: there must be judgments; with a click log there need not be.
    """
    found = {table: _table_file(existing_folder(folder), table) for table in TABLES if table != "impressions"}
    missing = [table for table, path in found.items() if path is None and (judged or table != "judgments")]
    if missing:
        raise SourceError(
            f"{folder} holds no file for {', '.join(missing)}",
            where=Location(folder),
            why=f"looked for {missing[0]}.csv, .tsv, .jsonl or .parquet",
            hint="name the files after the tables; judgments may be left out where there are impressions",
        )
    by_format: dict[str, dict[str, dict[str, str]]] = {}
    for table, path in found.items():
        if path is not None:
            by_format.setdefault(_format(path), {})[table] = _file_options(path)
    if len(by_format) > 1:
        raise SourceError(
            f"{folder} mixes {', '.join(sorted(by_format))}",
            where=Location(folder),
            hint="corpus, queries and judgments in one format are read as one source",
        )
    return [{"name": "collection", "format": form, "tables": tables} for form, tables in by_format.items()]


def _table_file(folder: Path, table: str) -> Path | None:
    """The file of a table, if there is one. Raises SourceError when there are several: one may be an older export."""
    names = [f"{table}{suffix}{zipped}" for suffix in FILE_FORMATS for zipped in ("", ".gz")]
    found = [name for name in names if (folder / name).exists()]
    if len(found) > 1:
        raise SourceError(
            f"{folder} holds {' and '.join(found)}",
            where=Location(folder),
            why=f"each may be the table {table}",
            hint="leave one of them in the folder",
        )
    return folder / found[0] if found else None


def _plain_suffix(path: Path) -> str:
    """The suffix that tells the format, whether the file is compressed or not."""
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def _file_options(path: Path) -> dict[str, str]:
    """Options of the reader for one file."""
    if _plain_suffix(path) != ".tsv":
        return {"path": str(path)}
    return {"path": str(path), "delimiter": "\t"} | ({"quote": ""} if _has_plain_quotes(path) else {})


def _has_plain_quotes(path: Path) -> bool:
    """Are quotes characters of the text in this file of tab-separated values, as in MS MARCO's, and quote nothing?

    So it is where each line has all fields, and one field has a quote at its start that nothing closes at its end.
    """
    with opened(path) as raw:
        lines = [line.rstrip(b"\r\n").split(b"\t") for _, line in islice(raw_lines(path, raw), _LINES_LOOKED_AT)]
    fields = [field for line in lines for field in line if field.startswith(b'"')]
    return len({len(line) for line in lines}) == 1 and not all(map(_QUOTED.fullmatch, fields))


def _format(path: Path) -> str:
    if _plain_suffix(path) not in FILE_FORMATS:
        raise SourceError(f"{path.name} is in no known format", where=Location(path), hint=", ".join(FILE_FORMATS))
    return FILE_FORMATS[_plain_suffix(path)]

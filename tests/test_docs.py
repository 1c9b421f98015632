"""The pages in docs/: all that a user can write is in them, what they show works, and their links lead somewhere.

A failing test names what is missing.
"""

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import duckdb
import pyarrow as pa
import pytest
import typer
import yaml
from doc_pages import CODE, EVERY_PAGE, PAGES, ROOT, anchors, blocks, links, missing, page, prose, sections, table_rows
from pydantic import BaseModel
from tiny_project import TinyProject
from triplets_in_memory import triplets_of

from hnm.api import Project
from hnm.cli.app import app
from hnm.dataset.record import SCHEMA as RECORDS
from hnm.errors import Location
from hnm.project import config, experiment_config
from hnm.project.manifest import SqlText
from hnm.project.templating import SHIPPED_MACROS, Rendering, Templates
from hnm.project.transforms import builtin_names, find_transform
from hnm.readers._tables import CORPUS, JUDGMENTS, QUERIES
from hnm.warehouse.state import SCHEMA


def commands(group: Any, before: str = "") -> dict[str, Any]:
    """Every command by its words after `hnm`: those of groups have two."""
    found = {}
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found |= commands(command, f"{before}{name} ") if inner else {f"{before}{name}": command}
    return found


COMMANDS = commands(typer.main.get_command(app))
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
REPOSITORY_PATH = re.compile(r"(\.ci|benchmarks|docs|hnm|pipelines|sql|tests)/[\w./*-]*")
A_PROJECTS_OWN = {"sql/macros/", "sql/tests/", "sql/macros/rule_agreed.sql"}
"""Paths that a user's project may have and this one does not."""

YAML_SECTIONS: dict[type[BaseModel], str] = {
    config.ProjectConfig: "`project.yml`",
    config.TargetConfig: "`targets`",
    config.SettingsConfig: "`settings`",
    config.SelectorConfig: "`selectors`",
    config.LineageConfig: "`lineage`",
    config.PipelineFile: "`pipelines/*.yml`",
    config.SourceConfig: "`sources`",
    config.StageConfig: "`stages`",
    experiment_config.ExperimentConfig: "`kind: experiment`",
    experiment_config.TrainConfig: "`train` of an experiment",
    experiment_config.LevelConfig: "`matrix` of an experiment",
    experiment_config.EvaluateConfig: "`evaluate` of an experiment",
    experiment_config.InterpolatedConfig: "`interpolate` of a side",
    experiment_config.ScoresConfig: "`scores` of an experiment",
    config.VariantConfig: "`variants`",
    config.SettingsOfStage: "`set` of a variant",
    config.ColumnConfig: "`columns`",
    config.IncrementalConfig: "`incremental`",
    config.KeysBySql: "`incremental`",
    config.UnitTestConfig: "`unit_tests`",
    config.RowsConfig: "`unit_tests`",
    config.GivenConfig: "`unit_tests`",
}


def models_inside(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The model, and those of its fields, recursively."""
    found = [model]
    for current in found:
        waiting = [field.annotation for field in current.model_fields.values()]
        while waiting:
            kind = waiting.pop()
            waiting += get_args(kind)
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in found:
                found.append(kind)
    return found


def plain(value: Any, exclude_defaults: bool) -> Any:
    """A default as YAML would give it."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(exclude_defaults=exclude_defaults), exclude_defaults)
    if isinstance(value, dict):
        return {key: plain(item, exclude_defaults) for key, item in value.items()}
    return [plain(item, exclude_defaults) for item in value] if isinstance(value, list | tuple) else value


def wrong_defaults(model: type[BaseModel], rows: dict[str, str]) -> dict[str, str]:
    """Fields whose row says another default than the model has."""
    wrong = {}
    for name, field in model.model_fields.items():
        said = rows.get(name, "")
        if field.is_required():
            right = said == "required"
        else:
            value = field.get_default(call_default_factory=True)
            right = yaml.safe_load(said.strip("`")) in (plain(value, True), plain(value, False))
        if not right:
            wrong[name] = said
    return wrong


def check_parameters(model: type[BaseModel], section: str) -> None:
    """A section's tables hold the fields of the model with their defaults, beside at most those of models inside it."""
    rows = table_rows(section)
    inside = {name for part in models_inside(model)[1:] for name in part.model_fields}
    assert sorted(set(model.model_fields) - set(rows)) == []
    assert missing(inside, section) == []
    assert sorted(set(rows) - set(model.model_fields) - inside) == []
    assert wrong_defaults(model, rows) == {}


# Commands


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_described(name):
    text = page("commands.md")
    known_sections = sections(text)
    section = known_sections.get(f"`hnm {name}`") or known_sections[f"`hnm {name.split()[0]}`"]
    options = {
        opt: parameter.opts for parameter in COMMANDS[name].params for opt in parameter.opts if opt.startswith("--")
    }
    assert missing(options, section) == []
    known = {opt for command in COMMANDS.values() for parameter in command.params for opt in parameter.opts}
    assert sorted(set(OPTION.findall(section)) - known) == []
    for names in options.values():
        assert ", ".join(f"`{opt}`" for opt in names) in text


def test_the_options_of_hnm_itself_are_described():
    own = {opt for parameter in typer.main.get_command(app).params for opt in parameter.opts}
    text = page("commands.md")
    assert [opt for opt in own if opt not in text] == []


def shown_commands() -> Iterator[Any]:
    for path in EVERY_PAGE:
        for block in blocks(path.read_text(encoding="utf-8"), "console"):
            for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
                for command in re.split(r"&&|;", line.partition(" #")[0]):
                    if command.split()[0] == "hnm":
                        yield pytest.param(command.partition(" < ")[0], id=f"{path.name}: {command.strip()}")


@pytest.mark.parametrize("command", list(shown_commands()))
def test_every_command_that_is_shown_can_be_parsed(command):
    _, name, *arguments = shlex.split(command)
    if name not in COMMANDS:
        name, arguments = f"{name} {arguments[0]}", arguments[1:]
    assert name in COMMANDS
    COMMANDS[name].make_context(name, arguments)


# YAML


def test_every_model_of_the_configuration_has_a_section():
    found = {*models_inside(config.ProjectConfig), *models_inside(config.PipelineFile), experiment_config.LevelConfig}
    assert sorted(model.__name__ for model in found ^ set(YAML_SECTIONS)) == []


@pytest.mark.parametrize("model", YAML_SECTIONS, ids=lambda model: model.__name__)
def test_every_key_is_described_with_its_default(model):
    heading = YAML_SECTIONS[model]
    rows = table_rows(sections(page("yaml.md"))[heading])
    known = {name for other, title in YAML_SECTIONS.items() if title == heading for name in other.model_fields}
    assert sorted(set(model.model_fields) - set(rows)) == []
    assert sorted(set(rows) - known) == []
    assert wrong_defaults(model, rows) == {}


def test_every_var_of_the_default_pipeline_is_described_with_its_default():
    files = [*ROOT.glob("sql/**/*.sql"), *SHIPPED_MACROS.glob("*.sql"), *ROOT.glob("pipelines/*.yml")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    rows = table_rows(sections(page("yaml.md"))["Vars of the default pipeline"])
    assert sorted(set(re.findall(r"\bvar\('(\w+)'", text)) ^ set(rows)) == []
    defaults = set(re.findall(r"\bvar\('(\w+)', ([\w.]+)\)", text))
    assert [name for name, default in sorted(defaults) if rows[name].strip("`") != default] == []


def test_every_function_of_a_template_is_described():
    functions = set(Templates()._sql.globals) - set(Templates().macro_files)
    functions -= {"range", "dict", "lipsum", "cycler", "joiner", "namespace"}  # Jinja's own
    described = " ".join(table_rows(sections(page("yaml.md"))["Templates"]))
    assert sorted(name for name in {*functions, "this"} if not re.search(rf"\b{name}\b", described)) == []


@pytest.mark.parametrize("path", EVERY_PAGE, ids=lambda path: path.name)
def test_yaml_blocks_are_valid(path):
    for block in blocks(path.read_text(encoding="utf-8"), "yaml"):
        data = yaml.safe_load(block)
        if isinstance(data, dict) and data.keys() <= config.PipelineFile.model_fields.keys():
            config.PipelineFile.model_validate(data)
        elif isinstance(data, dict) and data.keys() <= config.ProjectConfig.model_fields.keys():
            config.ProjectConfig.model_validate({"name": "fragment", **data})


@pytest.mark.parametrize("path", EVERY_PAGE, ids=lambda path: path.name)
def test_python_blocks_are_python(path):
    for block in blocks(path.read_text(encoding="utf-8"), "python"):
        ast.parse(block if not block.startswith("@") else block + "def declared(): ...")


# Readers and transforms


@pytest.mark.parametrize("name", builtin_names("readers"))
def test_every_option_of_a_reader_is_described(name):
    reader = find_transform(name, "readers", ROOT, Location(ROOT))
    check_parameters(reader.params, sections(page("your-data.md"))[f"`{name}`"])


@pytest.mark.parametrize("name", builtin_names("transforms"))
def test_every_parameter_and_input_of_a_transform_is_described(name):
    found = find_transform(name, "transforms", ROOT, Location(ROOT))
    section = sections(page("transforms.md"))[f"`{name}`"]
    check_parameters(found.params, section)
    assert missing({*(found.inputs or ()), *found.optional_inputs} - {"previous"}, section) == []


# Rules of strategies


def rules() -> list[Path]:
    return sorted({*SHIPPED_MACROS.glob("rule_*.sql"), *ROOT.glob("sql/macros/rule_*.sql")})


@pytest.mark.parametrize("path", rules(), ids=lambda path: path.stem)
def test_every_rule_setting_and_reason_is_described(path):
    text = path.read_text(encoding="utf-8")
    section = sections(page("strategies.md"))[f"`{path.stem.removeprefix('rule_')}`"]
    settings = {name for listed in re.findall(r"settings=\[(.*?)\]", text) for name in re.findall(r"'(\w+)'", listed)}
    rows = table_rows(section)
    assert sorted(settings ^ set(rows)) == []
    defaults = dict(re.findall(r"strategy\.(\w+) \| default\('?([\w.]+)'?\)", text))
    assert {name: rows[name] for name, default in defaults.items() if rows[name] != f"`{default}`"} == {}
    reasons = re.findall(r"^\s*'(\w+)':", re.sub(r"reasons=\{\s*'", "reasons={\n'", text), re.MULTILINE)
    assert missing(reasons, section) == []


def test_the_table_of_rules_has_every_rule():
    assert sorted(table_rows(sections(page("strategies.md"))["The rules"])) == sorted(
        path.stem.removeprefix("rule_") for path in rules()
    )


def test_the_reasons_of_all_strategies_are_described():
    text = (SHIPPED_MACROS / "outcome.sql").read_text(encoding="utf-8")
    reasons = re.findall(r"'(\w+)': '", text) + re.findall(r"then '(\w+)'", text)
    assert len(reasons) == 5
    assert missing(reasons, page("strategies.md")) == []


def test_the_rule_that_the_page_adds_works(tmp_path):
    text = page("strategies.md")
    (macro,) = blocks(text, "sql")
    (strategies,) = (block for block in blocks(text, "yaml") if "rule: agreed" in block)
    (tmp_path / "rule_agreed.sql").write_text(macro, encoding="utf-8")
    variables = {**yaml.safe_load(strategies)["vars"], "retrievers": ["bm25", "minilm"]}
    path = ROOT / "sql/negatives.sql"
    query = Templates((tmp_path,)).render_sql(path.read_text(), path, Rendering("negatives", variables))
    connection = duckdb.connect()
    # Both lie behind the positive, so the paper's rule leaves the pair to the one that fills.
    connection.execute("""
        create table scored_candidates as
        select 'q' as query_id, 'p' as positive_id, 'train' as split, *, 0.1 as d_query_positive, 0.9 as d_positive_doc,
            1 - d_query_doc as fused_score, null::integer as rank_random, 1.0 as score_bm25, 1.0 as score_minilm,
            false as is_known_positive, false as is_positive_copy
        from (values ('many', 0.5, 0.2, 3), ('one', 0.4, 0.3, 1)) as v (doc_id, d_query_doc, rrf, agreement)
    """)
    kept = connection.execute(f"select doc_id, exclusion_reason from ({query}) where strategy = 'agreed'").fetchall()
    assert sorted(kept) == [("many", None), ("one", "too_few_retrievers")]


# Tables


def test_every_stage_has_a_section_with_its_columns():
    described = {name: body for title, body in sections(page("tables.md")).items() for name in CODE.findall(title)}
    project = Project.load(ROOT)
    assert sorted(by_hand(project) - set(described)) == []
    wrong = {}
    for name, columns in stage_columns(project).items():
        absent, gone = missing(columns, described[name]), sorted(set(table_rows(described[name])) - set(columns))
        if absent or gone:
            wrong[name] = {"missing": absent, "gone": gone}
    assert wrong == {}


def by_hand(project: Project) -> set[str]:
    """The stages that stand in the files; what variants and experiments make of them is described by their pattern."""
    nodes = project.manifest.nodes
    made = {"variant", "experiment"}
    return {name for name, node in nodes.items() if node.kind != "source" and not made.intersection(node.config.tags)}


def no_triplets(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    rows, texts = (connection.table(name).to_arrow_table() for name in ("triplet_ids", "texts"))
    return triplets_of(rows, texts)


def stage_columns(project: Project) -> dict[str, list[str]]:
    """The columns of every SQL stage, of what it reads, and of triplets, from empty tables."""
    from hnm.retrieval.candidates import SCHEMA as CANDIDATES
    from hnm.transforms.mine_sentence_transformers import _schema as mined
    from hnm.transforms.simulate_clicks import _schema as impressions

    connection = duckdb.connect()
    reranked = pa.schema([*CANDIDATES, ("model_version", pa.string()), ("dataset_version", pa.string())]).empty_table()
    tokens = pa.schema([("doc_id", pa.string()), ("tokens", pa.int32())]).empty_table()
    texts = connection.sql("select '' as kind, '' as id, '' as text_hash, null::float[3] as vector limit 0")
    given = {
        "collection.corpus": CORPUS.schema().empty_table(),
        "collection.queries": QUERIES.schema().empty_table(),
        "collection.judgments": JUDGMENTS.schema().empty_table(),
        "impressions": impressions().empty_table(),
        "ensemble": texts.to_arrow_table(),
        "away.corpus": CORPUS.schema().empty_table(),
        "away.queries": QUERIES.schema().empty_table(),
        "away.judgments": JUDGMENTS.schema().empty_table(),
        "away_first_stage": CANDIDATES.empty_table(),
        "document_tokens": tokens,
        "mined_by_sentence_transformers": mined().empty_table(),
    }
    columns, wanted = {}, by_hand(project)
    connection.execute("create schema collection")
    connection.execute("create schema away")
    for name in project.graph.order:
        node, origin = project.manifest.nodes[name], name.partition("__")[0]
        if isinstance(node.work, SqlText):
            rows = f"({node.work.compiled})"
        elif origin == "triplets":
            connection.register("given rows", no_triplets(connection))
            rows = '"given rows"'
        elif origin in given or origin.startswith(("candidates_", "reranked_", "away_reranked_")):
            lists = CANDIDATES.empty_table() if origin.startswith("candidates_") else reranked
            connection.register("given rows", given.get(origin, lists))
            rows = '"given rows"'
        else:
            continue
        connection.execute(f"create table {name} as select * from {rows} limit 0")
        if name in wanted:
            columns[name] = [column[0] for column in connection.execute(f"describe {name}").fetchall()]
    return columns


def test_the_tables_of_the_state_are_described():
    connection = duckdb.connect()
    connection.execute(SCHEMA)
    connection.execute(RECORDS)
    tables = connection.execute(
        "select table_name, list(column_name) from duckdb_columns() where schema_name = '_hnm' group by 1"
    )
    described = sections(page("tables.md"))
    wrong = {}
    for name, columns in tables.fetchall():
        named = set(table_rows(described[f"`_hnm.{name}`"]))
        if named != set(columns):
            wrong[name] = sorted(named ^ set(columns))
    assert wrong == {}


# Python that the pages show


def test_the_transform_and_the_reader_that_the_page_adds_work(tmp_path):
    text = page("transforms.md")
    retriever, by_hand, _, reader = blocks(text, "python")
    _, stage, source = blocks(text, "yaml")
    project = TinyProject(tmp_path)
    project.write("project.yml", "name: page\nvars: {}\n")
    (tmp_path / "spelling.py").write_text(retriever, encoding="utf-8")
    (tmp_path / "pages.py").write_text(reader, encoding="utf-8")
    project.write("pipelines/stage.yml", stage)
    project.write("pipelines/source.yml", source)
    project.write("pipelines/rest.yml", "stages: [{name: corpus}, {name: queries}]\n")
    project.write("sql/corpus.sql", "select * from {{ source('handbook', 'corpus') }}\n")
    project.write("sql/queries.sql", "select 'q' as query_id, 'nmupy linalg svd' as text\n")
    project.write("data/pages/svd.txt", "numpy.linalg.svd\nSingular values.\n")
    project.write("data/pages/frame.txt", "pandas.DataFrame\nA table.\n")
    (tmp_path / "data/pages/blank.txt").write_text("\nA page without a title.\n")
    assert set(project.outcomes().values()) == {"built"}
    assert project.rows("select query_id, doc_id, rank, score > 0.6 from candidates_spelling") == [
        ("q", "svd", 1, True)
    ]
    assert project.rows("select reason, file from _hnm.quarantine") == [
        ("empty first line", str(tmp_path / "data/pages/blank.txt"))
    ]
    ((facts,),) = project.rows("select facts from _hnm.materializations where stage = 'candidates_spelling'")
    assert '"candidates": 1' in facts
    sys.modules.pop("spelling", None)
    exec(compile(by_hand, "transforms.md", "exec"), {})  # noqa: S102 # it is ours, and the page promises that it runs
    sys.modules.pop("spelling", None)


# Links and paths


@pytest.mark.parametrize("path", EVERY_PAGE, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(path):
    dead = []
    for target in links(path):
        file, _, anchor = target.partition("#")
        found = path.parent / file if file else path
        if not found.exists() or (anchor and anchor not in anchors(found.read_text(encoding="utf-8"))):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("path", EVERY_PAGE, ids=lambda path: path.name)
def test_paths_of_the_repository_exist(path):
    paths = {
        name
        for name in CODE.findall(prose(path))
        if REPOSITORY_PATH.fullmatch(name) and not re.search(r"[A-Z]{3}", name)
    }
    assert sorted(name for name in paths - A_PROJECTS_OWN if not any(ROOT.glob(name.rstrip("/")))) == []


def test_every_page_is_linked_from_the_readme_or_another_page():
    linked = {(path.parent / target.partition("#")[0]).resolve() for path in EVERY_PAGE for target in links(path)}
    assert sorted(path.name for path in PAGES if path.resolve() not in linked) == []

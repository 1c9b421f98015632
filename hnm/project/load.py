"""Read a project's files into a `Manifest`: the only place that knows the layout of a project on disk."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hnm.errors import Location, ProjectError, nearest
from hnm.project.config import KeysBySql, PipelineFile, ProjectConfig, SourceConfig, StageConfig
from hnm.project.data_tests import declared_tests
from hnm.project.manifest import Call, Manifest, Node, SqlText
from hnm.project.templating import Rendering, Templates
from hnm.project.transforms import find_transform, source_tables
from hnm.project.validate import validated
from hnm.project.yaml_file import KeyPath, YamlFile, read_yaml

PROJECT_FILE = "project.yml"
_REF = re.compile(r"^\s*ref\(\s*['\"]?(\w+)['\"]?\s*\)\s*$")
_SOURCE = re.compile(r"^\s*source\(\s*['\"]?(\w+)['\"]?\s*,\s*['\"]?(\w+)['\"]?\s*\)\s*$")
_FALSE = {"false", "0", "no", "none", ""}


def find_root(start: Path) -> Path:
    """The closest folder from `start` upwards that holds a project.yml. Raises ProjectError when there is none."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise ProjectError(
        "this is not an hnm project",
        where=Location(start),
        why=f"neither it nor a folder above it holds {PROJECT_FILE}",
        hint="`hnm init DIR` makes a project; or name one with `--project DIR`",
    )


def load_project(root: Path, target: str | None = None, variables: Mapping[str, Any] | None = None) -> Manifest:
    """Parse the project at `root`; `variables` replace vars of every level. Raises ProjectError."""
    file = read_yaml(root / PROJECT_FILE)
    config = validated(ProjectConfig, file.data or {}, file)
    name = target or config.default_target
    if name not in config.targets:
        raise ProjectError(
            f"unknown target {name!r}",
            where=file.place(("targets",)),
            hint=nearest(name, config.targets) or f"targets: {', '.join(config.targets)}",
        )
    chosen = config.targets[name]
    sql = _inside(root, config.sql, file.place(("sql",)))
    loader = _Loader(
        root=root,
        sql=sql,
        templates=Templates((sql / "macros",)),
        project_vars={**config.vars, **chosen.vars},
        given_vars=dict(variables or {}),
    )
    for path in sorted(_inside(root, config.pipelines, file.place(("pipelines",))).glob("*.y*ml")):
        loader.read_pipeline(path)
    loader.check_references()
    return Manifest(
        root=root,
        config=config,
        target=name,
        settings=chosen.settings or config.settings,
        warehouse=_inside(root, chosen.warehouse, file.place(("targets", name, "warehouse"))),
        nodes=loader.nodes,
        macro_files=loader.templates.macro_files,
    )


def _inside(root: Path, folder: str, where: Location) -> Path:
    """A folder of the project; what lies outside the project is refused."""
    path = (root / folder).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ProjectError(f"{folder!r} lies outside the project", where=where, hint="name a folder inside the project")
    return path


class _Loader:
    """Collects nodes file by file."""

    def __init__(
        self,
        root: Path,
        sql: Path,
        templates: Templates,
        project_vars: Mapping[str, Any],
        given_vars: Mapping[str, Any],
    ) -> None:
        self.root = root
        self.sql = sql
        self.templates = templates
        self.project_vars = project_vars
        self.given_vars = given_vars
        self.nodes: dict[str, Node] = {}
        self.disabled: set[str] = set()

    def read_pipeline(self, path: Path) -> None:
        file = read_yaml(path)
        pipeline = validated(PipelineFile, file.data or {}, file)
        for index, source in enumerate(pipeline.sources):
            self._add_source(source, file, file.place(("sources", index)))
        for index, stage in enumerate(pipeline.stages):
            self._add_stage(stage, file, ("stages", index))

    def check_references(self) -> None:
        """Every name that a node reads exists."""
        for node in self.nodes.values():
            where = Location(node.work.path) if isinstance(node.work, SqlText) else node.where
            for name in node.depends_on:
                if name in self.disabled:
                    raise ProjectError(f"{node.name} reads {name!r}, which is disabled", where=where)
                if name not in self.nodes:
                    kind = "source" if "." in name else "stage"
                    raise ProjectError(
                        f"{node.name} reads the unknown {kind} {name!r}", where=where, hint=nearest(name, self.nodes)
                    )
            self._check_incremental(node)

    def _check_incremental(self, node: Node) -> None:
        """Every input that `incremental` names is one, and its rows can be told apart."""
        config = node.config.incremental
        inputs = node.work.inputs if isinstance(node.work, Call) else {name: name for name in node.depends_on}
        for name, how in config.inputs.items() if config else ():
            if name not in inputs:
                hint = nearest(name, inputs) or f"it reads {', '.join(inputs)}"
                what = f"{node.name}: `incremental` names the unknown input {name!r}"
                raise ProjectError(what, where=node.where, hint=hint)
            if isinstance(how, KeysBySql) and not self.nodes[inputs[name]].config.key:
                what = f"{node.name}: `incremental` cannot tell the rows of {name!r} apart"
                raise ProjectError(what, where=node.where, hint=f"give {inputs[name]!r} a `unique_key`")

    def _add(self, node: Node) -> None:
        for test in node.tests:
            if test.reads and test.reads not in node.depends_on:
                raise ProjectError(
                    f"{node.name}: the test {test.name!r} reads {test.reads!r}, which the stage itself does not read",
                    where=node.where,
                    hint="test against a stage that is among its inputs, so that the order of building is right",
                )
        other = next((known for known in self.nodes.values() if known.name.lower() == node.name.lower()), None)
        if other:
            raise ProjectError(f"the name {node.name!r} is taken", where=node.where, why=f"also at {other.where}")
        self.nodes[node.name] = node

    def _rendering(self, name: str, stage_vars: Mapping[str, Any] | None = None) -> Rendering:
        return Rendering(name, {**self.project_vars, **(stage_vars or {}), **self.given_vars})

    def _add_source(self, source: SourceConfig, file: YamlFile, where: Location) -> None:
        reader = find_transform(source.format, "readers", self.root, where)
        tables = source.tables if source.tables is not None else {table: {} for table in source_tables(reader)}
        if not tables:
            raise ProjectError(
                f"source {source.name!r} names no tables",
                where=where,
                why=f"the format {source.format!r} needs options for each table, such as its path",
                hint="list them under `tables:`, for example `tables: {corpus: {path: docs.csv}}`",
            )
        for table, options in tables.items():
            name = f"{source.name}.{table}"
            rendering = self._rendering(name)
            given = self.templates.render_value({**source.options, **options, "table": table}, where, rendering)
            config = StageConfig(name=table, description=source.description, tags=source.tags)
            call = Call(reader, validated(reader.params, given, _at(file, where)), {})
            self._add(Node(name, "source", config, where, "table", (), call, env_read=rendering.env_read))

    def _add_stage(self, stage: StageConfig, file: YamlFile, keys: KeyPath) -> None:
        where = file.place(keys)
        rendering = self._rendering(stage.name, stage.vars)
        enabled = self.templates.render_value(stage.enabled, file.place((*keys, "enabled")), rendering)
        if str(enabled).strip().lower() in _FALSE:
            self.disabled.add(stage.name)
            return
        rendering = self._rendering(stage.name, stage.vars)  # what `enabled` read does not enter the fingerprint
        if stage.transform is None:
            self._add(self._sql_node(stage, where, rendering))
        else:
            self._add(self._python_node(stage, file, keys, rendering))

    def _sql_node(self, stage: StageConfig, where: Location, rendering: Rendering) -> Node:
        if stage.inputs or stage.params:
            raise ProjectError(
                f"{stage.name}: `inputs` and `params` belong to a stage with `transform:`",
                where=where,
                hint="in SQL, read tables with ref() and values with var(); set them under `vars:`",
            )
        path = self.sql / f"{stage.name}.sql"
        if not path.is_file():
            known = [found.stem for found in self.sql.glob("*.sql")]
            raise ProjectError(
                f"stage {stage.name!r} has neither `transform:` nor {path.relative_to(self.root)}",
                where=where,
                hint=nearest(stage.name, known),
            )
        template = path.read_text(encoding="utf-8")
        compiled = self.templates.render_sql(template, path, rendering)
        if rendering.config:
            given = {**rendering.config, **stage.model_dump(exclude_unset=True)}
            stage = validated(StageConfig, given, YamlFile(path, None))
        if stage.materialized == "model":
            raise ProjectError(f"{stage.name}: a SQL stage cannot be a model", where=where, hint="use table or lance")
        return Node(
            name=stage.name,
            kind="sql",
            config=stage,
            where=where,
            materialized=stage.materialized or "table",
            depends_on=(*rendering.refs, *(f"{source}.{table}" for source, table in rendering.sources)),
            work=SqlText(path, template, compiled),
            tests=declared_tests(stage, where),
            vars_read=rendering.vars_read,
            env_read=rendering.env_read,
            macros=tuple(rendering.macros),
        )

    def _python_node(
        self, stage: StageConfig, file: YamlFile, keys: tuple[str | int, ...], rendering: Rendering
    ) -> Node:
        where = file.place(keys)
        found = find_transform(str(stage.transform), "transforms", self.root, file.place((*keys, "transform")))
        params = self.templates.render_value(stage.params, file.place((*keys, "params")), rendering)
        inputs = {name: _referenced(text, file.place((*keys, "inputs", name))) for name, text in stage.inputs.items()}
        if found.inputs is not None:
            _check_inputs(stage.name, inputs, found.inputs, found.optional_inputs, file.place((*keys, "inputs")))
        materialized = stage.materialized or ("model" if found.produces == "model" else "table")
        if (materialized == "model") != (found.produces == "model"):
            raise ProjectError(
                f"{stage.name}: the transform {found.name!r} makes a {found.produces}, not a {materialized}",
                where=file.place((*keys, "materialized")),
            )
        return Node(
            name=stage.name,
            kind="python",
            config=stage,
            where=where,
            materialized=materialized,
            depends_on=tuple(dict.fromkeys(inputs.values())),
            work=Call(found, validated(found.params, params, file, (*keys, "params")), inputs),
            tests=declared_tests(stage, where),
            env_read=rendering.env_read,
        )


def _at(file: YamlFile, where: Location) -> YamlFile:
    """Options merged from two places have no place of their own: name the source's."""
    return YamlFile(file.path, None, {(): where})


def _referenced(text: str, where: Location) -> str:
    """The node that an input such as `ref(corpus)` or `source(collection, corpus)` names."""
    if match := _REF.match(text):
        return match[1]
    if match := _SOURCE.match(text):
        return f"{match[1]}.{match[2]}"
    raise ProjectError(f"{text!r} is no input", where=where, hint="write ref(stage) or source(source, table)")


def _check_inputs(
    stage: str, given: Mapping[str, str], required: tuple[str, ...], optional: tuple[str, ...], where: Location
) -> None:
    for name in required:
        if name not in given:
            raise ProjectError(f"{stage}: the input {name!r} is missing", where=where, hint=f"add `{name}: ref(...)`")
    for name in given:
        if name not in (*required, *optional):
            known = (*required, *optional)
            raise ProjectError(
                f"{stage}: unknown input {name!r}",
                where=where,
                hint=nearest(name, known) or f"inputs: {', '.join(known)}",
            )

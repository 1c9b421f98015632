"""Read a project's files into a `Manifest`: the only place that knows the layout of a project on disk."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hnm.errors import Location, ProjectError, nearest
from hnm.project.config import (
    KeysBySql,
    PipelineFile,
    ProjectConfig,
    SourceConfig,
    StageConfig,
    UnitTestConfig,
    VariantConfig,
)
from hnm.project.data_tests import declared_tests
from hnm.project.experiment import Experiment, read_experiment
from hnm.project.experiment_config import ExperimentConfig
from hnm.project.folders import inside, warehouse_folder
from hnm.project.manifest import Call, Manifest, Node, SqlText, UnitTest
from hnm.project.references import check_inputs, is_pinned, referenced, stage_of
from hnm.project.root import PROJECT_FILE
from hnm.project.sql_tests import check_reads, with_sql_test
from hnm.project.templating import Rendering, Templates, read_sql
from hnm.project.transforms import find_transform, source_tables
from hnm.project.unit_tests import check_stage, read_unit_test
from hnm.project.unread_vars import refuse_misspelt_vars
from hnm.project.validate import validated
from hnm.project.var_places import VarPlaces, given_places, places_below
from hnm.project.variants import Declared, copies, merged_places, refuse_unread_vars
from hnm.project.yaml_file import KeyPath, YamlFile, read_yaml
from hnm.sqltext import split_name

_FALSE = {"false", "0", "no", "off", "none", ""}
_IN_SQL = {"materialized", "unique_key", "incremental", "description", "tags", "columns", "tests"}


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
    sql = inside(root, config.sql, file.place(("sql",)))
    loader = _Loader(
        root=root,
        sql=sql,
        templates=Templates((sql / "macros",)),
        project_vars={**config.vars, **chosen.vars},
        given_vars=dict(variables or {}),
        var_places=places_below(file, ("vars",), config.vars)
        | places_below(file, ("targets", name, "vars"), chosen.vars),
    )
    pipelines = inside(root, config.pipelines, file.place(("pipelines",)))
    if not pipelines.is_dir():
        hint = nearest(config.pipelines, (entry.name for entry in root.iterdir() if entry.is_dir()))
        raise ProjectError(f"there is no folder {config.pipelines!r}", where=file.place(("pipelines",)), hint=hint)
    for path in sorted(path for path in pipelines.rglob("*") if path.suffix in (".yml", ".yaml")):
        loader.read_pipeline(path)
    loader.add_variants()
    loader.add_experiments()
    loader.check_references()
    loader.add_sql_tests()
    check_reads(loader.nodes)
    refuse_misspelt_vars(loader.places_of_all_vars(), loader.nodes.values(), (sql, pipelines))
    if config.lineage and config.lineage.file:
        inside(root, config.lineage.file, file.place(("lineage", "file")))
    place = file.place(("targets", name, "warehouse"))
    return Manifest(
        root=root,
        config=config,
        target=name,
        settings=chosen.settings or config.settings,
        warehouse=warehouse_folder(root, chosen.warehouse, place, (sql, pipelines)),
        nodes=loader.nodes,
        macro_files=loader.templates.macro_files,
        unit_tests=tuple(loader.read_unit_tests()),
        experiments=loader.experiments,
    )


class _Loader:
    """Collects nodes file by file."""

    def __init__(
        self,
        root: Path,
        sql: Path,
        templates: Templates,
        project_vars: Mapping[str, Any],
        given_vars: Mapping[str, Any],
        var_places: VarPlaces,
    ) -> None:
        self.root = root
        self.sql = sql
        self.templates = templates
        self.project_vars = project_vars
        self.given_vars = given_vars
        self.var_places = var_places
        self.nodes: dict[str, Node] = {}
        self.places: dict[str, Location] = {}  # by name in lower case: DuckDB's names know no case
        self.disabled: set[str] = set()
        self.declared: dict[str, Declared] = {}
        self.variants: list[tuple[VariantConfig, YamlFile, KeyPath]] = []
        self.matrices: list[tuple[ExperimentConfig, YamlFile, KeyPath]] = []
        self.experiments: dict[str, Experiment] = {}
        self.unit_tests: list[tuple[UnitTestConfig, YamlFile, KeyPath]] = []
        self.read_at: dict[tuple[str, str], Location] = {}  # (stage, what it reads) of Python stages

    def read_pipeline(self, path: Path) -> None:
        file = read_yaml(path)
        pipeline = validated(PipelineFile, file.data or {}, file)
        for index, source in enumerate(pipeline.sources):
            self._add_source(source, file, ("sources", index))
        for index, stage in enumerate(pipeline.stages):
            if isinstance(stage, ExperimentConfig):
                self.matrices.append((stage, file, ("stages", index)))
            else:
                self._add_stage(Declared(stage, file, ("stages", index)))
        self.variants += [(variant, file, ("variants", index)) for index, variant in enumerate(pipeline.variants)]
        self.unit_tests += [(test, file, ("unit_tests", index)) for index, test in enumerate(pipeline.unit_tests)]

    def add_variants(self) -> None:
        """The copies of stages that variants ask for; what they are copied from stands in any file."""
        declared = dict(self.declared)
        depends_on = {name: self.nodes[name].depends_on for name in declared}
        for variant, file, keys in self.variants:
            made = copies(variant, file, keys, declared, depends_on, self.disabled)
            for stage in made.stages:
                self._add_stage(stage)
            for name in variant.set:
                node = self.nodes[made.renamed[name]]
                if isinstance(node.work, SqlText):
                    refuse_unread_vars(variant, name, node.vars_read, file.place((*keys, "set", name, "vars")))

    def add_experiments(self) -> None:
        """The stages that experiments stand for."""
        for config, file, keys in self.matrices:
            rendered = partial(self._rendered_at, self._rendering(config.name), file, keys)
            if _is_false(rendered(config.enabled, "enabled")):
                self.disabled.add(config.name)
                continue
            axes = {
                axis: levels if isinstance(levels, dict) else rendered(levels, "matrix", axis)
                for axis, levels in config.matrix.items()
            }
            sides = [
                side
                for side, evaluate in config.evaluate.items()
                if not _is_false(rendered(evaluate.enabled, "evaluate", side, "enabled"))
            ]
            experiment = read_experiment(config, axes, sides, file, keys)
            self.experiments[config.name] = experiment
            for stage in experiment.stages:
                self._add_stage(stage)

    def check_references(self) -> None:
        """Every name that a node reads exists, and what it reads a version of keeps versions."""
        for node in self.nodes.values():
            for reference in node.reads:
                name = stage_of(reference)
                if name not in self.nodes:
                    kind = "source" if "." in name else "stage"
                    what, hint = f"{node.name} reads the unknown {kind} {name!r}", nearest(name, self.nodes)
                    if name in self.disabled:
                        what = f"{node.name} reads {name!r}, which is disabled"
                        hint = f"enable it, or give {node.name} the same `enabled:`"
                    raise ProjectError(what, where=self._reads_at(node, reference), hint=hint)
                if is_pinned(reference) and self.nodes[name].materialized != "lance":
                    raise ProjectError(
                        f"{node.name} reads {reference}, but {name} keeps no versions",
                        where=node.pinned[reference],
                        why=f"it is a {self.nodes[name].materialized}",
                        hint=f"declare {name} with `materialized: lance`, or read what is current: `ref({name})`",
                    )
            self._check_incremental(node)

    def add_sql_tests(self) -> None:
        """The files in the folder `tests` beside the SQL stages; one that reads what is disabled is disabled too."""
        for path in sorted((self.sql / "tests").rglob("*.sql")):
            rendering = self._rendering(path.stem)
            compiled = self.templates.render_sql(read_sql(path), path, rendering)
            if not self.disabled.intersection(rendering.reads):
                self.nodes = with_sql_test(self.nodes, path, compiled, rendering)

    def read_unit_tests(self) -> Iterator[UnitTest]:
        """The unit tests of all stages that are not disabled."""
        seen: dict[tuple[str, str], Location] = {}
        for config, file, keys in self.unit_tests:
            if config.stage in self.disabled:
                continue
            where = file.place(keys)
            check_stage(config, self.nodes, file.place((*keys, "stage")))
            other = seen.setdefault((config.stage, config.name.lower()), where)
            if other != where:
                what = f"{config.stage} has two unit tests {config.name!r}"
                raise ProjectError(what, where=where, why=f"also at {other}")
            rendering = self._rendering(config.stage, self.declared[config.stage])
            rendering.vars = {**rendering.vars, **config.vars}
            rendering.places = {**rendering.places, **places_below(file, (*keys, "vars"), config.vars)}
            yield read_unit_test(config, self.nodes, self.templates, rendering, file, keys)

    def _reads_at(self, node: Node, name: str) -> Location:
        if isinstance(node.work, SqlText):
            return _mention_of_input(node.work.path, node.work.template, name)
        return self.read_at.get((node.name, name), node.where)

    def _check_incremental(self, node: Node) -> None:
        """Every input that `incremental` names exists, and its rows can be told apart.

        A SQL stage may name an existing node that it does not read: which ones it reads may depend on vars.
        """
        config = node.config.incremental
        inputs = node.work.inputs if isinstance(node.work, Call) else {name: name for name in node.reads}
        for name, how in config.inputs.items() if config else ():
            if name not in inputs and node.kind == "sql" and (name in self.nodes or name in self.disabled):
                continue
            if name not in inputs:
                hint = nearest(name, inputs) or f"it reads {', '.join(inputs)}"
                what = f"{node.name}: `incremental` names the unknown input {name!r}"
                raise ProjectError(what, where=node.where, hint=hint)
            if isinstance(how, KeysBySql) and not self.nodes[stage_of(inputs[name])].config.key:
                what = f"{node.name}: `incremental` cannot tell the rows of {name!r} apart"
                raise ProjectError(what, where=node.where, hint=f"give {inputs[name]!r} a `unique_key`")

    def _add(self, node: Node) -> None:
        other = self.places.get(node.name.lower())
        if other:
            raise ProjectError(f"the name {node.name!r} is taken", where=node.where, why=f"also at {other}")
        self.nodes[node.name] = node
        self.places[node.name.lower()] = node.where

    def places_of_vars(self, declared: Declared | None = None) -> VarPlaces:
        """Where the vars are set that a stage reads, or any other template."""
        own = places_below(declared.file, (*declared.keys, "vars"), declared.config.vars) if declared else {}
        return {**self.var_places, **own, **given_places(self.given_vars)}

    def places_of_all_vars(self) -> list[VarPlaces]:
        """Where vars are set: for the project, for each stage, and for each unit test."""
        tests = [places_below(file, (*keys, "vars"), config.vars) for config, file, keys in self.unit_tests]
        return [*map(self.places_of_vars, (None, *self.declared.values())), *tests]

    def _rendering(self, name: str, declared: Declared | None = None) -> Rendering:
        own, renamed = (declared.config.vars, declared.renamed) if declared else ({}, {})
        places = self.places_of_vars(declared)
        return Rendering(name, {**self.project_vars, **own, **self.given_vars}, renamed, places=places)

    def _add_source(self, source: SourceConfig, file: YamlFile, keys: KeyPath) -> None:
        reader = find_transform(source.format, "readers", self.root, file.place((*keys, "format")))
        tables = source.tables if source.tables is not None else {table: {} for table in source_tables(reader)}
        if not tables:
            raise ProjectError(
                f"source {source.name!r} names no tables",
                where=file.place((*keys, "tables")),
                why=f"the format {source.format!r} needs options for each table, such as its path",
                hint="list them under `tables:`, for example `tables: {corpus: {path: docs.csv}}`",
            )
        for table, options in tables.items():
            name = f"{source.name}.{table}"
            if _is_false(self._rendered(source.enabled, file.place((*keys, "enabled")), self._rendering(name))):
                self.disabled.add(name)
                continue
            rendering = self._rendering(name)
            places = merged_places((file, (*keys, "options")), (file, (*keys, "tables", table)))
            merged = {**source.options, **options, "table": table}
            given = {key: self._rendered(value, places.place((key,)), rendering) for key, value in merged.items()}
            config = StageConfig(name=table, description=source.description, tags=source.tags)
            params = validated(reader.params, given, places, secrets=rendering.env_read.values())
            call, where = Call(reader, params, {}), places.place(())
            self._add(Node(name, "source", config, where, "table", (), call, env_read=rendering.env_read))

    def _add_stage(self, declared: Declared) -> None:
        stage, file, keys = declared.config, declared.file, declared.keys
        enabled = self._rendered(stage.enabled, file.place((*keys, "enabled")), self._rendering(stage.name, declared))
        if _is_false(enabled):
            self.disabled.add(stage.name)
            return
        rendering = self._rendering(stage.name, declared)  # what `enabled` read does not enter the fingerprint
        node = self._sql_node if stage.transform is None else self._python_node
        self._add(node(stage, file, keys, rendering))
        self.declared[stage.name] = declared

    def _rendered(self, value: Any, where: Location, rendering: Rendering) -> Any:
        return self.templates.render_value(value, where, rendering)

    def _rendered_at(self, rendering: Rendering, file: YamlFile, keys: KeyPath, value: Any, *below: str) -> Any:
        return self._rendered(value, file.place((*keys, *below)), rendering)

    def _sql_node(self, stage: StageConfig, file: YamlFile, keys: KeyPath, rendering: Rendering) -> Node:
        where = file.place(keys)
        if stage.inputs or stage.params:
            raise ProjectError(
                f"{stage.name}: `inputs` and `params` belong to a stage with `transform:`",
                where=where,
                hint="in SQL, read tables with ref() and values with var(); set them under `vars:`",
            )
        path = self.sql / f"{rendering.written_as}.sql"
        if not path.is_file():
            known = [found.stem for found in self.sql.glob("*.sql") if found.is_file()]
            raise ProjectError(
                f"stage {stage.name!r} has neither `transform:` nor {path.relative_to(self.root)}",
                where=where,
                why="a folder has that name" if path.is_dir() else None,
                hint=nearest(stage.name, known),
            )
        template = read_sql(path)
        compiled = self.templates.render_sql(template, path, rendering)
        if rendering.config:
            stage = _configured(stage, rendering.config, _mention(path, template, r"\bconfig\s*\("))
        if stage.materialized == "model":
            raise ProjectError(f"{stage.name}: a SQL stage cannot be a model", where=where, hint="use table or lance")
        return Node(
            name=stage.name,
            kind="sql",
            config=stage,
            where=where,
            materialized=stage.materialized or "table",
            depends_on=tuple(name for name in rendering.reads if not is_pinned(name)),
            work=SqlText(path, template, compiled),
            tests=declared_tests(stage, file, keys, rendering.renamed),
            vars_read=rendering.vars_read,
            env_read=rendering.env_read,
            macros=tuple(rendering.macros),
            pinned={name: _mention_of_input(path, template, name) for name in rendering.reads if is_pinned(name)},
        )

    def _python_node(
        self, stage: StageConfig, file: YamlFile, keys: tuple[str | int, ...], rendering: Rendering
    ) -> Node:
        where = file.place(keys)
        found = find_transform(str(stage.transform), "transforms", self.root, file.place((*keys, "transform")))
        params = {
            name: self._rendered(value, file.place((*keys, "params", name)), rendering)
            for name, value in stage.params.items()
        }
        read = {name: referenced(text, file.place((*keys, "inputs", name))) for name, text in stage.inputs.items()}
        inputs = {name: rendering.renamed.get(node, node) for name, node in read.items()}
        self.read_at |= {(stage.name, node): file.place((*keys, "inputs", name)) for name, node in inputs.items()}
        if found.inputs is not None:
            check_inputs(stage.name, inputs, found.inputs, found.optional_inputs, file, (*keys, "inputs"))
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
            depends_on=tuple(dict.fromkeys(name for name in inputs.values() if not is_pinned(name))),
            work=Call(
                found, validated(found.params, params, file, (*keys, "params"), rendering.env_read.values()), inputs
            ),
            tests=declared_tests(stage, file, keys, rendering.renamed),
            env_read=rendering.env_read,
            pinned={name: self.read_at[stage.name, name] for name in inputs.values() if is_pinned(name)},
        )


def _is_false(enabled: Any) -> bool:
    """A text by what it says; any other value, such as an empty list, as templates take it."""
    return enabled.strip().lower() in _FALSE if isinstance(enabled, str) else not enabled


def _mention(path: Path, text: str, pattern: str) -> Location:
    """The first line of a SQL file in which `pattern` stands; the file alone when that is not in it but in a macro."""
    found = re.search(pattern, text)
    return Location(path, text.count("\n", 0, found.start()) + 1 if found else None)


def _mention_of_input(path: Path, text: str, name: str) -> Location:
    return _mention(path, text, rf"['\"]{re.escape(split_name(name)[1])}['\"]")


def _configured(stage: StageConfig, given: Mapping[str, Any], where: Location) -> StageConfig:
    """The stage with what its SQL says in `config()`, which counts before the YAML."""
    for name in given:
        if name in StageConfig.model_fields and name not in _IN_SQL:
            hint = "set it in the YAML under `pipelines:`, which is read first"
            raise ProjectError(f"config() cannot set {name!r}", where=where, hint=hint)
    merged = {**stage.model_dump(exclude_unset=True), **given}
    return validated(StageConfig, merged, YamlFile(where.path, None, {(): where}))

"""Unit tests of stages, from YAML to what can be executed: the stage's own code over rows that are given by hand."""

from collections.abc import Mapping
from dataclasses import replace

from hnm.errors import Location, ProjectError, nearest
from hnm.project.config import RowsConfig, UnitTestConfig
from hnm.project.manifest import Call, Node, Rows, SqlText, UnitTest
from hnm.project.references import referenced, stage_of
from hnm.project.templating import Rendering, Templates
from hnm.project.validate import validated
from hnm.project.yaml_file import KeyPath, YamlFile


def read_unit_test(
    config: UnitTestConfig,
    nodes: Mapping[str, Node],
    templates: Templates,
    rendering: Rendering,
    file: YamlFile,
    keys: KeyPath,
) -> UnitTest:
    """The unit test that stands at `keys` in `file`. `rendering`: with the vars of the stage and of the test.

    Raises ProjectError for inputs that the stage does not read, or that it needs and are not given.
    """
    node = nodes[config.stage]
    work = _work(config, node, templates, rendering, file, keys)
    reads = work.inputs if isinstance(work, Call) else {name: name for name in rendering.reads}
    given: dict[str, Rows] = {}  # by node
    for index, entry in enumerate(config.given):
        place = (*keys, "given", index)
        where = file.place((*place, "input"))
        name = referenced(entry.input, where)
        if name not in reads.values():
            hint = nearest(name, reads.values()) or f"it reads {', '.join(reads.values())}"
            raise ProjectError(f"{config.name}: {node.name} does not read {name!r}", where=where, hint=hint)
        if name in given:
            raise ProjectError(f"{config.name}: {name!r} is given twice", where=where)
        if name in nodes and nodes[name].materialized == "model":
            raise ProjectError(f"{config.name}: {name!r} is a model, which rows cannot stand for", where=where)
        given[name] = _rows(entry, _declared_types(nodes.get(stage_of(name))) | entry.types, file, place)
    for name in _needed(work, reads):
        if reads[name] not in given:
            what = f"{config.name}: {node.name} reads {reads[name]!r}, which is not given"
            hint = f"add `- {{input: ref({reads[name]}), rows: []}}` under `given:`, with `types:` for its columns"
            raise ProjectError(what, where=file.place(keys), hint=hint)
    return UnitTest(
        name=config.name,
        stage=node.name,
        where=file.place(keys),
        work=work,
        given={name: given[read] for name, read in reads.items() if read in given},
        expect=_rows(config.expect, {}, file, (*keys, "expect")),
        key=node.config.key,
        tolerance=config.tolerance,
    )


def check_stage(config: UnitTestConfig, nodes: Mapping[str, Node], where: Location) -> None:
    """The stage that is tested exists. Raises ProjectError."""
    node = nodes.get(config.stage)
    if node is None or node.kind == "source":
        stages = [name for name, known in nodes.items() if known.kind != "source"]
        what = f"{config.name} tests the unknown stage {config.stage!r}"
        raise ProjectError(what, where=where, hint=nearest(config.stage, stages))


def _work(
    config: UnitTestConfig, node: Node, templates: Templates, rendering: Rendering, file: YamlFile, keys: KeyPath
) -> SqlText | Call:
    """The stage's code with the vars and parameters of the test."""
    if isinstance(node.work, SqlText):
        if config.params:
            what = f"{config.name}: `params` are for Python stages, and {node.name!r} is a SQL stage"
            raise ProjectError(what, where=file.place((*keys, "params")), hint="set `vars:`")
        return replace(node.work, compiled=templates.render_sql(node.work.template, node.work.path, rendering))
    place = (*keys, "params")
    params = templates.render_value({**node.config.params, **config.params}, file.place(place), rendering)
    model = node.work.transform.params
    return replace(node.work, params=validated(model, params, file, place, rendering.env_read.values()))


def _needed(work: SqlText | Call, reads: Mapping[str, str]) -> list[str]:
    """The inputs, by the stage's own names, that must be given."""
    optional = work.transform.optional_inputs if isinstance(work, Call) else ()
    return [name for name in reads if name not in optional]


def _rows(config: RowsConfig, types: Mapping[str, str], file: YamlFile, keys: KeyPath) -> Rows:
    return Rows(config.rows or (), config.csv, types, file.place(keys))


def _declared_types(node: Node | None) -> dict[str, str]:
    """What the pipelines say of a node's columns."""
    return {column.name: column.type for column in node.config.columns if column.type} if node else {}

"""Data tests that are files: sql/tests/NAME.sql is a query for rows that must not exist, as dbt's singular tests.

A file belongs to the one stage among those it reads that is built from all the others, and runs when that is built.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hnm.errors import Location, ProjectError, nearest
from hnm.project.data_test_kinds import Thresholds
from hnm.project.data_tests import SQL_FILE, DataTest, distinctly_named
from hnm.project.graph import graph_of, reach
from hnm.project.manifest import Node
from hnm.project.templating import Rendering
from hnm.project.validate import validated
from hnm.project.yaml_file import YamlFile
from hnm.sqltext import without_comments


def with_sql_test(nodes: Mapping[str, Node], path: Path, compiled: str, rendering: Rendering) -> dict[str, Node]:
    """The nodes, one of them with the test in the file at `path`; `rendering`: what the file read and configured.

    Raises ProjectError when it reads nothing, what does not exist, or stages of which none is built from the others.
    """
    reads = rendering.reads
    for name in reads:
        if name not in nodes:
            what = f"the test {path.stem!r} reads the unknown stage {name!r}"
            raise ProjectError(what, where=Location(path), hint=nearest(name, nodes))
    options = validated(Thresholds, rendering.config, YamlFile(path, None))
    stage = nodes[_last(nodes, reads, path)]
    others = tuple(name for name in reads if name != stage.name)
    query = without_comments(compiled).rstrip("; ")
    test = DataTest(options.name or path.stem, SQL_FILE, (), options, Location(path), others, query)
    return {**nodes, stage.name: replace(stage, tests=distinctly_named((*stage.tests, test)))}


def check_reads(nodes: Mapping[str, Node]) -> None:
    """Every test reads only what its stage is built from, directly or not, so that it is there when the test runs.

    Raises ProjectError, first of all for a circle, in which nothing is built from anything.
    """
    graph_of(nodes)
    depends_on = _depends_on(nodes)
    for node in nodes.values():
        for test in node.tests:
            for name in sorted({*test.reads} - {node.name, *node.depends_on}):
                what, hint = f"{node.name}: the test {test.name!r} reads", "test it in a stage that is built from both"
                if name not in nodes:
                    what = f"{what} the unknown stage {name!r}"
                    raise ProjectError(what, where=test.where, hint=nearest(name, nodes))
                if name not in reach(depends_on, node.name):
                    what = f"{what} {name!r}, from which the stage is not built"
                    raise ProjectError(what, where=test.where, hint=hint)


def _last(nodes: Mapping[str, Node], reads: tuple[str, ...], path: Path) -> str:
    """The one of the nodes that is built from all the others."""
    if not reads:
        raise ProjectError(f"the test {path.stem!r} reads no stage", where=Location(path), hint="read one with ref()")
    depends_on = _depends_on(nodes)
    for name in reads:
        if {*reads} <= {name} | reach(depends_on, name):
            return name
    raise ProjectError(
        f"the test {path.stem!r} reads {', '.join(reads)}, and none of them is built from all others",
        where=Location(path),
        hint="test them in a stage that is built from all of them: read that with ref() too",
    )


def _depends_on(nodes: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
    return {node.name: tuple(node.depends_on) for node in nodes.values()}

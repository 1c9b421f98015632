"""The parsed project: every node with all that is known of it before anything runs. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hnm.errors import Location
from hnm.project.config import ProjectConfig, SettingsConfig, StageConfig
from hnm.project.data_tests import DataTest
from hnm.project.experiment import Experiment
from hnm.project.references import input_names
from hnm.transform import PREVIOUS, Params, Transform

Kind = Literal["source", "sql", "python"]


@dataclass(frozen=True)
class SqlText:
    """A SQL stage: the template as written, and what it became."""

    path: Path
    template: str
    compiled: str


@dataclass(frozen=True)
class Call:
    """A Python stage: the transform, its validated parameters, and its inputs by name: nodes, or versions of them."""

    transform: Transform[Any]
    params: Params
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Node:
    """One table or model: a stage, or one table of a source (named `source.table`).

    `depends_on`: the nodes that it is built from. `pinned`: the versions of Lance stages that it reads besides, such as
    `triplets@v1`, and where it refers to them.
    """

    name: str
    kind: Kind
    config: StageConfig
    where: Location
    materialized: Literal["table", "lance", "model"]
    depends_on: tuple[str, ...]
    work: SqlText | Call
    tests: tuple[DataTest, ...] = ()
    vars_read: Mapping[str, Any] = field(default_factory=dict)
    env_read: Mapping[str, str] = field(default_factory=dict)
    macros: tuple[str, ...] = ()
    pinned: Mapping[str, Location] = field(default_factory=dict)

    @cached_property
    def reads(self) -> Mapping[str, str]:
        """All that it reads, and what each is called in the fingerprint."""
        return input_names((*self.depends_on, *self.pinned))

    @property
    def schema(self) -> str:
        """The DuckDB schema of the table."""
        return self.name.split(".")[0] if self.kind == "source" else "main"

    @property
    def follows_changes(self) -> bool:
        """Can it be brought up to date at the cost of what changed in its inputs?"""
        if self.config.incremental or not isinstance(self.work, Call):
            return self.config.incremental is not None
        transform = self.work.transform
        return bool(transform.changes) or (transform.scope == "row" and PREVIOUS in transform.optional_inputs)

    @property
    def table(self) -> str:
        """The table's name within its schema."""
        return self.name.split(".")[-1]


@dataclass(frozen=True)
class Rows:
    """Rows given by hand: as mappings, or as CSV text. `types`: DuckDB types by column, where they are known."""

    rows: tuple[Mapping[str, Any], ...]
    csv: str | None
    types: Mapping[str, str]
    where: Location


@dataclass(frozen=True)
class UnitTest:
    """What a stage's code must make of given rows.

    `work`: the stage's code with the vars and parameters of the test. `given`: by the names under which it reads them.
    `key`: the columns that identify a row of the stage. `tolerance`: how far numbers may be apart.
    """

    name: str
    stage: str
    where: Location
    work: SqlText | Call
    given: Mapping[str, Rows]
    expect: Rows
    key: tuple[str, ...]
    tolerance: float


@dataclass(frozen=True)
class Manifest:
    """A project for one target. `nodes` are in the order in which files and stages stand."""

    root: Path
    config: ProjectConfig
    target: str
    settings: SettingsConfig
    warehouse: Path
    nodes: Mapping[str, Node]
    macro_files: Mapping[str, Path]
    unit_tests: tuple[UnitTest, ...] = ()
    experiments: Mapping[str, Experiment] = field(default_factory=dict)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values of environment variables that the nodes read: they are shown and kept nowhere."""
        return tuple(value for node in self.nodes.values() for value in node.env_read.values())

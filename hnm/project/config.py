"""What may stand in project.yml and in pipelines/*.yml."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from hnm.project.amounts import AmountOfMemory
from hnm.project.config_base import TEST_NAME, Config, Name
from hnm.project.experiment_config import ExperimentConfig, LevelConfig

# Schemas that DuckDB has, and databases that are attached: `hnm.corpus` could be a table of either.
RESERVED_SCHEMAS = frozenset(
    {"main", "temp", "memory", "system", "build", "warehouse", "hnm", "information_schema", "pg_catalog"}
)

Materialized = Literal["table", "lance", "model"]


class SettingsConfig(Config):
    """How much of the machine a run may use."""

    device: Annotated[str, Field(description="`auto`, `cpu`, `cuda`, `cuda:1` or `mps`")] = "auto"
    precision: Annotated[
        Literal["auto", "fp32", "bf16"], Field(description="`auto` takes bf16 where the device is faster with it")
    ] = "auto"
    cores: Annotated[int, Field(ge=0, description="cores to use; 0 for all")] = 0
    threads: Annotated[
        int, Field(ge=1, description="stages to build at the same time; they share cores and memory")
    ] = 1
    memory_limit: Annotated[AmountOfMemory, Field(description="DuckDB's limit, e.g. `2GB`")] = "2GB"


class TargetConfig(Config):
    """One place to build into, such as dev or prod."""

    warehouse: Annotated[
        str, Field(description="folder of the DuckDB file, Lance tables and models, relative to the project")
    ] = "data/warehouse"
    vars: Annotated[dict[str, Any], Field(description="vars that differ in this target")] = {}
    settings: Annotated[SettingsConfig | None, Field(description="settings that replace the project's")] = None


class SelectorConfig(Config):
    """A selection with a name, for `--selector NAME` and `selector:NAME`."""

    select: Annotated[tuple[str, ...], Field(description="what to select, as for `--select`; a union")] = ()
    exclude: Annotated[tuple[str, ...], Field(description="what to leave out, as for `--exclude`")] = ()
    description: Annotated[str, Field(description="what it is for")] = ""

    @model_validator(mode="before")
    @classmethod
    def _text_or_list_is_select(cls, value: object) -> object:
        return {"select": value} if isinstance(value, str | list) else value

    @field_validator("select", "exclude", mode="before")
    @classmethod
    def _text_is_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class LineageConfig(Config):
    """Whom a run tells what it reads and makes, as OpenLineage events: a file or a backend."""

    file: Annotated[str | None, Field(description="JSON lines, appended to; inside the project")] = None
    url: Annotated[
        str | None,
        Field(pattern=r"^https?://", description="a backend; its key is read from the variable `OPENLINEAGE_API_KEY`"),
    ] = None
    namespace: Annotated[str, Field(min_length=1, description="the namespace of jobs and datasets")] = "hnm"

    @model_validator(mode="after")
    def _one_place(self) -> "LineageConfig":
        if (self.file is None) == (self.url is None):
            raise ValueError("needs either `file` or `url`")
        return self


class ProjectConfig(Config):
    """project.yml"""

    name: Annotated[Name, Field(description="the project's name")]
    version: Annotated[str, Field(description="the project's own version")] = "1"
    description: Annotated[str, Field(description="what the project is for")] = ""
    vars: Annotated[dict[str, Any], Field(description="values that SQL and YAML read with `var('name')`")] = {}
    targets: Annotated[dict[Name, TargetConfig], Field(description="named places to build into")] = {
        "dev": TargetConfig()
    }
    default_target: Annotated[str, Field(description="the target when `--target` is not given")] = "dev"
    settings: Annotated[SettingsConfig, Field(description="how much of the machine a run may use")] = SettingsConfig()
    selectors: Annotated[
        dict[Name, SelectorConfig],
        Field(description="selections by name: a selector, a list of them, or `{select: …, exclude: …}`"),
    ] = {}
    lineage: Annotated[LineageConfig | None, Field(description="OpenLineage events of runs; none when left out")] = None
    pipelines: Annotated[str, Field(description="folder of the stages")] = "pipelines"
    sql: Annotated[str, Field(description="folder of the SQL stages; its `macros/` holds macros")] = "sql"

    @field_validator("version", mode="before")
    @classmethod
    def _number_is_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) else value


class SourceConfig(Config):
    """Data from outside: each of its tables is read by `source('name', 'table')`."""

    name: Annotated[Name, Field(description="first argument of `source()`; also the schema of its tables")]
    description: Annotated[str, Field(description="what it is and where it comes from")] = ""
    format: Annotated[str, Field(description="a reader of `hnm.readers`, or `package.module:function`")]
    options: Annotated[dict[str, Any], Field(description="options of the reader, for all tables")] = {}
    tables: Annotated[
        dict[Name, dict[str, Any]] | None, Field(description="options by table; left out: all tables of the format")
    ] = None
    enabled: Annotated[
        bool | str, Field(description="false or a template that is false: the source does not exist")
    ] = True
    tags: Annotated[tuple[str, ...], Field(description="for the selector `tag:`")] = ()

    @field_validator("name")
    @classmethod
    def _schema_is_free(cls, value: str) -> str:
        if value.lower() in RESERVED_SCHEMAS or value.lower().startswith("_hnm"):
            raise ValueError(f"{value!r} is a reserved schema name; take another")
        return value


class ColumnConfig(Config):
    """One column of a stage: a contract when `type` is given."""

    name: Annotated[str, Field(description="the column's name")]
    type: Annotated[str | None, Field(description="DuckDB type that the column must have")] = None
    description: Annotated[str, Field(description="what it holds, with unit and direction")] = ""
    tests: Annotated[tuple[str | dict[str, Any], ...], Field(description="tests of this column")] = ()


class KeysBySql(Config):
    """Keys that a changed input touches, as a query."""

    sql: Annotated[
        str,
        Field(
            description="a query for the touched keys; it may read the inputs, and `changed`: the unique keys of the "
            "input's rows that were inserted, changed or deleted"
        ),
    ]


class IncrementalConfig(Config):
    """How a stage is brought up to date: rows of the touched keys are made anew, all others stay."""

    strategy: Annotated[
        Literal["by_key", "append"],
        Field(
            description="`by_key` replaces the rows of touched keys (a key that many rows share is a partition); "
            "`append` makes rows of new input rows only, for a log"
        ),
    ] = "by_key"
    key: Annotated[
        str | tuple[str, ...],
        Field(description="column or columns by which output rows are replaced; none with `strategy: append`"),
    ] = ()
    inputs: Annotated[
        dict[str, str | tuple[str, ...] | KeysBySql],
        Field(
            description="by input: its column or columns that hold the key (then only rows of touched keys are read), "
            "or `{sql: ...}`; a change of an input that is not listed rebuilds the stage in full"
        ),
    ]
    on_schema_change: Annotated[
        Literal["fail", "append_new_columns", "rebuild"],
        Field(description="what to do when the new rows have other columns than the old ones"),
    ] = "fail"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.key,) if isinstance(self.key, str) else self.key

    @model_validator(mode="after")
    def _key_fits_strategy(self) -> "IncrementalConfig":
        if self.strategy == "by_key" and not self.columns:
            raise ValueError("`key` is needed: the column or columns by which output rows are replaced")
        if self.strategy == "append":
            if self.columns:
                raise ValueError("`append` takes no `key`: no row that was made is ever replaced")
            if len(self.inputs) != 1 or isinstance(next(iter(self.inputs.values())), KeysBySql):
                raise ValueError("`append` follows one input, by the columns that identify its rows")
        return self


class StageConfig(Config):
    """One stage: one table (or model) of the stage's name."""

    kind: Annotated[Literal["stage"], Field(description="`stage`, or `experiment` for a matrix of stages")] = "stage"
    name: Annotated[Name, Field(description="the stage's and the table's name")]
    description: Annotated[str, Field(description="what one row is")] = ""
    transform: Annotated[
        str | None,
        Field(description="a built-in transform, or `package.module:function`; left out: `sql/NAME.sql`"),
    ] = None
    inputs: Annotated[
        dict[str, str],
        Field(
            description="for transforms: input name to `ref(stage)`, `ref(stage@version)` or `source(source, table)`"
        ),
    ] = {}
    params: Annotated[dict[str, Any], Field(description="parameters of the transform")] = {}
    vars: Annotated[dict[str, Any], Field(description="vars of this stage alone, before the project's")] = {}
    materialized: Annotated[
        Materialized | None,
        Field(description="`table` (DuckDB, the default), `lance` (versioned), `model` (for transforms that train)"),
    ] = None
    unique_key: Annotated[
        str | tuple[str, ...] | None, Field(description="column or columns that identify a row; tested")
    ] = None
    incremental: Annotated[
        IncrementalConfig | None,
        Field(description="how changed inputs are followed; left out: built in full each time"),
    ] = None
    enabled: Annotated[bool | str, Field(description="false or a template that is false: the stage does not exist")] = (
        True
    )
    on_demand: Annotated[
        bool, Field(description="built only when a selection names it, or something that is built from it")
    ] = False
    tags: Annotated[tuple[str, ...], Field(description="for the selector `tag:`")] = ()
    columns: Annotated[tuple[ColumnConfig, ...], Field(description="columns, their contract and tests")] = ()
    tests: Annotated[tuple[str | dict[str, Any], ...], Field(description="tests of the table")] = ()

    @field_validator("columns")
    @classmethod
    def _no_column_stands_twice(cls, value: tuple[ColumnConfig, ...]) -> tuple[ColumnConfig, ...]:
        names = [column.name.lower() for column in value]
        for column in value:
            if names.count(column.name.lower()) > 1:
                raise ValueError(f"the column {column.name!r} stands twice")
        return value

    @property
    def key(self) -> tuple[str, ...]:
        if self.unique_key is None:
            return ()
        return (self.unique_key,) if isinstance(self.unique_key, str) else self.unique_key


class SettingsOfStage(LevelConfig):
    """What a variant changes in a stage; all else stays."""

    vars: Annotated[dict[str, Any], Field(description="vars of the stage that differ")] = {}


class VariantConfig(Config):
    """A copy of a part of the graph with other settings; the copy of a stage is called `STAGE__VARIANT`."""

    name: Annotated[Name, Field(description="the last part of the copies' names, behind two underscores")]
    description: Annotated[str, Field(description="what is different")] = ""
    set: Annotated[dict[str, SettingsOfStage], Field(min_length=1, description="by stage: the settings that differ")]
    upto: Annotated[str, Field(description="the stages from those that are set to this one are copied, and no others")]


class RowsConfig(Config):
    """Rows written by hand, for a unit test; a column that a row lacks is null."""

    rows: Annotated[tuple[dict[str, Any], ...] | None, Field(description="the rows, each `{column: value}`")] = None
    csv: Annotated[str | None, Field(description="the rows as CSV with a header; an empty field is null")] = None

    @model_validator(mode="after")
    def _one_form(self) -> "RowsConfig":
        if (self.rows is None) == (self.csv is None):
            raise ValueError("either `rows` or `csv` is needed")
        return self


class GivenConfig(RowsConfig):
    """What stands in one input while a unit test runs."""

    input: Annotated[str, Field(description="the input: `ref(stage)` or `source(source, table)`")]
    types: Annotated[
        dict[str, str],
        Field(
            description="DuckDB types of columns, such as `{vector: 'FLOAT[3]'}`; left out: as the input's stage "
            "declares them, or as the values are"
        ),
    ] = {}


class UnitTestConfig(Config):
    """A unit test: what a stage makes of rows that are given by hand."""

    name: Annotated[str, Field(pattern=TEST_NAME, max_length=100, description="what reports call the test")]
    description: Annotated[str, Field(description="what it shows")] = ""
    stage: Annotated[Name, Field(description="the stage that is tested, in SQL or Python")]
    given: Annotated[tuple[GivenConfig, ...], Field(description="the rows of each input")] = ()
    vars: Annotated[dict[str, Any], Field(description="vars of this test, before all others")] = {}
    params: Annotated[dict[str, Any], Field(description="parameters of the transform that differ in this test")] = {}
    expect: Annotated[
        RowsConfig, Field(description="the rows that must come out, in any order; only columns named here are compared")
    ]
    tolerance: Annotated[
        float, Field(ge=0, description="how far numbers may be apart, absolutely or relative to the greater one")
    ] = 1e-6


KINDS: dict[str, type[Config]] = {"kind: stage": StageConfig, "kind: experiment": ExperimentConfig}
"""What an entry of `stages` may be. Pydantic puts the name into the path of an error; in the file it is not a key."""


def _kind(entry: Any) -> str:
    kind = entry.get("kind", "stage") if isinstance(entry, dict) else getattr(entry, "kind", "stage")
    return "kind: stage" if kind == "stage" else "kind: experiment"


StageOrExperiment = Annotated[
    Annotated[StageConfig, Tag("kind: stage")] | Annotated[ExperimentConfig, Tag("kind: experiment")],
    Discriminator(_kind),
]


class PipelineFile(Config):
    """One file in pipelines/."""

    sources: Annotated[tuple[SourceConfig, ...], Field(description="data from outside")] = ()
    stages: Annotated[tuple[StageOrExperiment, ...], Field(description="the stages")] = ()
    variants: Annotated[tuple[VariantConfig, ...], Field(description="parts of the graph with other settings")] = ()
    unit_tests: Annotated[tuple[UnitTestConfig, ...], Field(description="unit tests of stages in any file")] = ()

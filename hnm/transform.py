"""What a Python stage is: a function from Arrow batches to Arrow batches with declared parameters, inputs and scope.

    @transform(params=BM25Params, inputs=("corpus", "queries"), packages=("bm25s",))
    def bm25(inputs: Inputs, params: BM25Params, context: Context) -> Iterator[pa.RecordBatch]: ...

A built-in transform is one file in `hnm/transforms/` or `hnm/readers/` with one decorated function of the file's name.
A project's own transform is any `package.module:function` that carries the same decorator.
Modules with transforms are imported while a project is parsed: import heavy packages inside the function.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.context import Context
    from hnm.inputs import Inputs


class Params(BaseModel):
    """Base of every parameter model: unknown keys are refused, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="base64")  # bytes need not be text


P = TypeVar("P", bound=Params)

Scope = Literal["row", "key", "global"]
"""What an output row depends on: one input row, all input rows of one key, or all input rows."""

PREVIOUS = "previous"
"""The optional input that the tool itself gives: the stage's last output, while nothing but inputs changed."""

Uses = Literal["share", "all"]
Produces = Literal["table", "model"]

Function = Callable[["Inputs", Any, "Context"], Iterator["pa.RecordBatch"]]


@dataclass(frozen=True)
class Transform(Generic[P]):
    """A declared Python transform.

    `inputs`: names that the stage must give; None when any names will do.
    `optional_inputs`: names that it may give.
    `changes`: inputs whose changes since the last output it wants to know. When they can be told, the input
    `changed_NAME` holds the unique key of every row that was inserted, changed or deleted, with `change` saying which.
    `uses`: "all" cores when it spreads its work over `context.settings.cores` itself; no other stage runs beside it.
    `packages`: distributions whose versions enter the stage's fingerprint.
    `version_by`: output columns that stand for the content when values such as floats are not exactly repeatable;
    None means all columns.
    `produces`: "table", or "model" when the function fills `context.model_folder` and its batches are the training log.
    `files`: given the parameters and the project's root, the files it reads; their content enters the fingerprint.
    `identity`: given the parameters, further facts that the output depends on (for example versions of what it reads).
    `found_as`: the `module:name` under which a project names it, where that is not where its function is defined.
    """

    function: Function
    params: type[P]
    inputs: tuple[str, ...] | None = ()
    optional_inputs: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    scope: Scope = "global"
    uses: Uses = "share"
    packages: tuple[str, ...] = ()
    version_by: tuple[str, ...] | None = None
    produces: Produces = "table"
    files: Callable[[P, Path], list[Path]] | None = None
    identity: Callable[[P], Mapping[str, str]] | None = None
    found_as: str | None = None

    def __post_init__(self) -> None:
        """Raises TypeError for a declaration that would be misread."""
        if not (isinstance(self.params, type) and issubclass(self.params, Params)):
            raise TypeError(f"params must be a class derived from hnm.transform.Params, not {self.params!r}")
        for name in ("inputs", "optional_inputs", "changes", "packages", "version_by"):
            if isinstance(given := getattr(self, name), str):
                raise TypeError(f"{name} must be a tuple: ({given!r},)")
        for name, known in {"scope": Scope, "uses": Uses, "produces": Produces}.items():
            if getattr(self, name) not in get_args(known):
                raise TypeError(f"{name} must be one of {', '.join(get_args(known))}, not {getattr(self, name)!r}")
        unknown = {*self.changes} - {*(self.inputs or self.changes), *self.optional_inputs}
        if unknown:
            raise TypeError(f"changes must name inputs, and {sorted(unknown)[0]!r} is none")

    @property
    def name(self) -> str:
        return self.function.__name__

    def __call__(self, inputs: "Inputs", params: P, context: "Context") -> Iterator["pa.RecordBatch"]:
        return self.function(inputs, params, context)


def transform(
    *,
    params: type[P],
    inputs: tuple[str, ...] | None = (),
    optional_inputs: tuple[str, ...] = (),
    changes: tuple[str, ...] = (),
    scope: Scope = "global",
    uses: Uses = "share",
    packages: tuple[str, ...] = (),
    version_by: tuple[str, ...] | None = None,
    produces: Produces = "table",
    files: Callable[[P, Path], list[Path]] | None = None,
    identity: Callable[[P], Mapping[str, str]] | None = None,
) -> Callable[[Function], Transform[P]]:
    """Declare a function as a transform; see `Transform` for what each declaration means."""

    def declare(function: Function) -> Transform[P]:
        return Transform(
            function=function,
            params=params,
            inputs=inputs,
            optional_inputs=optional_inputs,
            changes=changes,
            scope=scope,
            uses=uses,
            packages=packages,
            version_by=version_by,
            produces=produces,
            files=files,
            identity=identity,
        )

    return declare

"""Turn what pydantic says of a mapping into one error: file, line, the offending text, the nearest valid name."""

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hnm.errors import ProjectError, nearest
from hnm.masking import mask_error
from hnm.project.config import KINDS
from hnm.project.yaml_file import KeyPath, YamlFile

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], data: Any, file: YamlFile, keys: KeyPath = (), secrets: Iterable[str] = ()) -> Model:
    """`data` (found at `keys` in `file`) as `model`; raises ProjectError that names each problem's place.

    `secrets`: texts that the error must not show.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        refused = _project_error(error, model, file, keys)
        mask_error(refused, secrets)
        raise refused from None


def _project_error(error: ValidationError, model: type[BaseModel], file: YamlFile, keys: KeyPath) -> ProjectError:
    # A misspelt key comes first: it is also why another one is missing.
    first, *others = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    what, hint = _in_words(first, model, _path(first))
    more = []
    for problem in others:
        path = _path(problem)
        more.append(f"{file.place((*keys, *path))}: {_in_words(problem, model, path)[0]}")
    return ProjectError(
        what,
        where=file.place((*keys, *_path(first))),
        why=("also: " + "; ".join(more)) if more else None,
        hint=hint,
    )


def _path(problem: Any) -> KeyPath:
    """Where the problem lies, as the keys stand in the file: pydantic also names the member of a union."""
    return tuple(part for part in problem["loc"] if part not in KINDS)


def _in_words(problem: Any, model: type[BaseModel], keys: KeyPath) -> tuple[str, str | None]:
    """What is wrong and how to mend it, for one of pydantic's problems, which lies at `keys`."""
    path = ".".join(map(str, keys))
    kind = problem["type"]
    if kind == "extra_forbidden":
        known = _known_keys(model, problem["loc"][:-1])
        listed = "known keys: " + ", ".join(sorted(known)) if known else None
        return f"unknown key {problem['loc'][-1]!r}" + (f" (at {path})" if "." in path else ""), (
            nearest(str(problem["loc"][-1]), known) or listed
        )
    if kind == "missing":
        return f"the key {path!r} is missing", None
    shown = repr(problem["input"])
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    message = problem["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    expected = problem.get("ctx", {}).get("expected")
    own_words = kind == "value_error" and isinstance(problem["input"], dict | list)  # a check names what is wrong
    if not own_words:
        message = f"{message}, not {shown}"
    return f"{path}: {message}" if path else message, (
        nearest(str(problem["input"]), str(expected).replace("'", "").replace(" or ", ", ").split(", "))
        if kind == "literal_error"
        else None
    )


def _known_keys(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The field names of the model that stands at `path` below `model`."""
    current: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part) if _is_model(current) else None
        current = KINDS.get(part) or (_model_inside(field.annotation) if field else current)
        if current is None:
            return []
    return list(current.model_fields) if _is_model(current) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _model_inside(annotation: Any) -> Any:
    """The first pydantic model inside a type such as tuple[Model, ...] or dict[str, Model]."""
    if _is_model(annotation):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_inside(argument)
        if found is not None:
            return found
    return None

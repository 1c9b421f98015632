"""What a stage's output depends on, as named components, so that a plan can say why anything runs. Pure.

A fingerprint is SHA-256 over the components. Those that name inputs hold the inputs' data versions.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from hnm.distributions import version
from hnm.engine.code_digest import code_digest
from hnm.errors import HnmError, ProjectError
from hnm.project.manifest import Call, Manifest, Node
from hnm.sqltext import without_comments
from hnm.transform import Params
from hnm.warehouse.versions import Versions

Components = dict[str, str]

_COMPILED = "compiled"
_CODE_NAMES = {"sql": "the SQL", _COMPILED: "the compiled SQL", "code": "the code of the transform"}
_CONFIG_CALL = re.compile(r"\{\{-?\s*config\(.*?\)\s*-?\}\}", re.DOTALL)
_INPUT = "input "
_LONG_FLOAT = re.compile(r"\d+\.\d{15,}")


def digest(text: str) -> str:
    """SHA-256 of a text, 16 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(components: Mapping[str, str]) -> str:
    """SHA-256 over the components, 64 hex digits; their order does not matter."""
    return hashlib.sha256(json.dumps(components, sort_keys=True).encode()).hexdigest()


def own_components(node: Node, manifest: Manifest) -> Components:
    """All components but inputs and files: code, parameters, vars, environment, packages, configuration.

    Environment values are secrets: only their digest is kept, also where a parameter or var holds them.
    """
    components: Components = {"materialized": node.materialized}
    if node.config.key:
        components["unique_key"] = ", ".join(node.config.key)
    if isinstance(node.work, Call):
        components |= _call_components(node, node.work, manifest.root)
        components |= {f"as {name}": node.reads[read] for name, read in node.work.inputs.items()}
    else:
        # What config() says that makes other rows has components of its own.
        components["sql"] = digest(without_comments(_CONFIG_CALL.sub("", node.work.template)))
        # Layout of a template does not count above, though Jinja may put it into a string.
        components[_COMPILED] = digest(without_comments(node.work.compiled))
    for name in node.macros:
        text = manifest.macro_files[name].read_text(encoding="utf-8")
        components[f"macro {name}"] = digest(without_comments(text))
    if not isinstance(node.work, Call):  # what a transform's parameters were rendered from shows in the parameters
        components |= {f"var {name}": _canonical(value) for name, value in node.vars_read.items()}
    secrets = [text for value in node.env_read.values() if value for text in (value, _canonical(value)[1:-1])]
    components = {
        name: digest(value) if any(secret in value for secret in secrets) else value
        for name, value in components.items()
    }
    return components | {f"env {name}": digest(value) for name, value in node.env_read.items()}


def input_components(versions: Mapping[str, str]) -> Components:
    """Components for the data versions of inputs, by the names that a node's `reads` gives them."""
    return {f"{_INPUT}{name}": data_version for name, data_version in versions.items()}


def input_versions(components: Mapping[str, str]) -> dict[str, str]:
    """Data versions of inputs by name: what `input_components` was given."""
    return {name.removeprefix(_INPUT): value for name, value in components.items() if is_input(name)}


def is_input(component: str) -> bool:
    return component.startswith(_INPUT)


def without_inputs(components: Mapping[str, str]) -> Components:
    return {name: value for name, value in components.items() if not is_input(name)}


def differences(
    old: Mapping[str, str],
    new: Mapping[str, str],
    versions: Versions | None = None,
    reads: Mapping[str, str] | None = None,
) -> list[str]:
    """In words, what changed from the last build to now; causes of the stage's own come before its inputs'.

    `versions`: what is known of the data versions of inputs. `reads`: of the node, for words that name a version.
    """
    called = {f"{_INPUT}{name}": f"{_INPUT}{reference}" for reference, name in (reads or {}).items()}
    return [
        _difference(name, old.get(name), new.get(name), versions or Versions(), called.get(name))
        for name in changed_components(old, new)
    ]


def changed_components(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Names of the components that differ, a stage's own before its inputs.

    That its SQL compiles to something else goes without saying where the template, a var or a macro changed.
    """
    changed = [name for name in {*old, *new} if old.get(name) != new.get(name)]
    if any(name != _COMPILED and not is_input(name) for name in changed):
        changed = [name for name in changed if name != _COMPILED]
    return sorted(changed, key=lambda name: (is_input(name), name))


def _difference(name: str, old: str | None, new: str | None, versions: Versions, called: str | None) -> str:
    label = called or _CODE_NAMES.get(name, name)
    if old is None:
        return f"{label} is new"
    if new is None:
        return f"{label} is gone"
    if name.startswith(("params.", "var ", "package ", "materialized", "unique_key")) and len(old + new) < 80:
        return f"{label} {' -> '.join(_without_noise(old, new))}"
    if name.startswith(_INPUT) and (old, new) in versions.changes:
        return f"{label} {versions.changes[old, new]} rows"
    counts = versions.counts(old, new) if name.startswith(_INPUT) else ""
    return f"{label} changed ({counts})" if counts else f"{label} changed"


def _without_noise(*values: str) -> list[str]:
    """JSON texts with 0.3 for 0.30000000000000004, unless that makes different ones equal."""
    short = [_LONG_FLOAT.sub(lambda found: f"{float(found[0]):.15g}", value) for value in values]
    return short if len({*short}) == len({*values}) else list(values)


@contextmanager
def declaring(node: Node, what: str) -> Iterator[None]:
    """A failure of the project's own code that a transform declares, such as `files`, becomes a ProjectError."""
    try:
        yield
    except HnmError:
        raise
    except Exception as error:  # the function is the project's, and may raise anything
        raise ProjectError(
            f"{node.name}: `{what}` of its transform fails",
            where=node.where,
            why=f"{type(error).__name__}: {error}",
            hint=f"mend the function that @transform is given as `{what}`",
        ) from error


def _call_components(node: Node, call: Call, root: Path) -> Components:
    transform, params = call.transform, call.params
    components = {"code": code_digest(transform, root)}
    values = params.model_dump(mode="json") | _sets_in_order(params)
    components |= {f"params.{name}": _canonical(value) for name, value in values.items()}
    components |= {f"package {name}": package_version(name) for name in transform.packages}
    with declaring(node, "identity"):
        for name, value in transform.identity(params).items() if transform.identity else ():
            if not isinstance(value, str):
                raise TypeError(f"{name!r} must be a text, not {value!r}")
            components[f"identity {name}"] = value
    return components


def _sets_in_order(params: Params) -> dict[str, Any]:
    """The parameters that hold sets, as JSON with lists for them: a set of texts has another order in every process."""
    listed = {name: (value, _with_lists(value)) for name, value in params.model_dump().items()}
    return {
        name: to_jsonable_python(made, bytes_mode="base64") for name, (value, made) in listed.items() if made != value
    }


def _with_lists(value: Any) -> Any:
    match value:
        case set() | frozenset():
            return sorted((_with_lists(one) for one in value), key=_canonical)
        case dict():
            return {name: _with_lists(one) for name, one in value.items()}
        case list():
            return [_with_lists(one) for one in value]
        case tuple():
            return tuple(_with_lists(one) for one in value)
    return value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)


@cache
def package_version(name: str) -> str:
    """The installed version of a distribution, or `absent`."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def changed_inputs(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Names of the inputs whose data version differs between two builds of a stage."""
    names = {name for name in (*old, *new) if name.startswith(_INPUT)}
    return sorted(name.removeprefix(_INPUT) for name in names if old.get(name) != new.get(name))

"""Which nodes a selection names. Pure.

As in dbt: `name`, `+name` (and all it is built from), `name+` (and all that is built from it), `2+name+1` (that many
steps), `@name` (descendants and all that those are built from), wildcards, `tag:`, `path:`, `kind:`, `source:`.
Several words, or one word with spaces, are a union; commas within a word are an intersection.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from hnm.engine.graph import Graph
from hnm.errors import SelectorError, nearest
from hnm.project.manifest import Node

_TERM = re.compile(r"^(?P<at>@)?(?:(?P<up>\d*)(?P<plus_up>\+))?(?P<core>[^+@]+)(?:(?P<plus_down>\+)(?P<down>\d*))?$")

Method = Callable[[Node, str, Path], bool]

_METHODS: Mapping[str, Method] = {
    "tag": lambda node, value, root: value in node.config.tags,
    "kind": lambda node, value, root: value in (node.kind, node.materialized),
    "path": lambda node, value, root: _under(node, value, root),
    "source": lambda node, value, root: node.kind == "source" and fnmatchcase(node.schema, value),
}


def select(
    nodes: Mapping[str, Node], graph: Graph, root: Path, chosen: Iterable[str] = (), excluded: Iterable[str] = ()
) -> tuple[str, ...]:
    """The names of the selected nodes in the graph's order. Nothing chosen means all.

    Raises SelectorError for a selector that cannot be read or matches nothing.
    """
    words = [word for text in chosen for word in text.split()]
    names = set().union(*(_intersection(word, nodes, graph, root) for word in words)) if words else set(nodes)
    for text in excluded:
        for word in text.split():
            names -= _intersection(word, nodes, graph, root)
    return tuple(name for name in graph.order if name in names)


def _intersection(word: str, nodes: Mapping[str, Node], graph: Graph, root: Path) -> set[str]:
    return set.intersection(*(_term(term, nodes, graph, root) for term in word.split(",")))


def _term(term: str, nodes: Mapping[str, Node], graph: Graph, root: Path) -> set[str]:
    match = _TERM.match(term)
    if not match:
        raise SelectorError(f"cannot read the selector {term!r}", hint="for example `+negatives`, `tag:slow`, `a,b`")
    found = _core(match["core"], nodes, root)
    names = set(found)
    for name in found:
        if match["plus_up"]:
            names |= graph.ancestors(name, int(match["up"]) if match["up"] else None)
        if match["plus_down"] or match["at"]:
            names |= graph.descendants(name, int(match["down"]) if match["down"] else None)
    if match["at"]:
        for name in tuple(names):
            names |= graph.ancestors(name)
    return names


def _core(core: str, nodes: Mapping[str, Node], root: Path) -> set[str]:
    method, colon, value = core.partition(":")
    if colon:
        if method not in _METHODS:
            hint = nearest(method, _METHODS) or f"methods: {', '.join(_METHODS)}"
            raise SelectorError(f"unknown selector method {method!r} in {core!r}", hint=hint)
        found = {node.name for node in nodes.values() if _METHODS[method](node, value, root)}
    else:
        found = {name for name in nodes if fnmatchcase(name, core)}
    if not found:
        raise SelectorError(f"the selector {core!r} matches nothing", hint=nearest(core, nodes) or "`hnm ls` lists all")
    return found


def _under(node: Node, value: str, root: Path) -> bool:
    """Does the node's SQL or YAML file lie at or below the path `value`?"""
    wanted = (root / value).resolve()
    path = getattr(node.work, "path", None)
    return any(found.resolve().is_relative_to(wanted) for found in (node.where.path, path) if found)

"""Which nodes a selection names. Pure.

As in dbt: `name`, `+name` (and all it is built from), `name+` (and all that is built from it), `2+name+1` (that many
steps), `@name` (descendants and all that those are built from), wildcards, and `method:value`: `tag:`, `path:`,
`kind:`, `source:`, `selector:` (one that project.yml names), and the methods that a caller adds, such as `state:`.
Several words, or one word with spaces, are a union; commas within a word are an intersection.

Stages on demand, and all that is built from them, are left out by an empty selection and by `name+`: they must be
named themselves (a wildcard or method names what it matches), or something that is built from them, as `+name`.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from hnm.errors import SelectorError
from hnm.project.config import SelectorConfig
from hnm.project.graph import Graph
from hnm.project.manifest import Node, SqlText

_TERM = re.compile(r"^(?P<at>@)?(?:(?P<up>\d*)(?P<plus_up>\+))?(?P<core>[^+@]+)(?:(?P<plus_down>\+)(?P<down>\d*))?$")
_NAMED = "selector"

Labels = Mapping[str, Iterable[str]]
"""By node, the values by which a method knows it."""


@dataclass(frozen=True)
class Method:
    """How `method:value` selects: the nodes that have a label which matches `value`.

    `labels`: asked for only when the method is used. `values`: those that may match nothing, because it depends on the
    moment; None when a value that matches nothing is a mistake. `default`: the value when none is given.
    """

    labels: Callable[[], Labels]
    values: frozenset[str] | None = None
    default: str = ""


def select(
    nodes: Mapping[str, Node],
    graph: Graph,
    root: Path,
    chosen: Iterable[str] = (),
    excluded: Iterable[str] = (),
    *,
    methods: Mapping[str, Method] | None = None,
    named: Mapping[str, SelectorConfig] | None = None,
) -> tuple[str, ...]:
    """The names of the selected nodes in the graph's order. Nothing chosen means all that are not on demand.

    `methods`: more of them, before those of this module. `named`: the selectors of project.yml.
    Raises SelectorError for a selector that cannot be read or that matches nothing.
    """
    known = {**_methods_of_files(nodes, root), **(methods or {})}
    names = _Selection(nodes, graph, root, known, named or {}).names(chosen, excluded)
    return tuple(name for name in graph.order if name in names)


def _methods_of_files(nodes: Mapping[str, Node], root: Path) -> dict[str, Method]:
    def by(labels: Callable[[Node], Iterable[str]]) -> Method:
        return Method(lambda: {name: tuple(labels(node)) for name, node in nodes.items()})

    return {
        "tag": by(lambda node: node.config.tags),
        "kind": by(lambda node: (node.kind, node.materialized)),
        "path": by(lambda node: _paths(node, root)),
        "source": by(lambda node: (node.schema,) if node.kind == "source" else ()),
    }


def _paths(node: Node, root: Path) -> Iterator[str]:
    """The node's SQL and YAML file and all folders above them, relative to the root."""
    for path in (node.where.path, *((node.work.path,) if isinstance(node.work, SqlText) else ())):
        relative = Path(os.path.relpath(path.resolve(), root.resolve()))
        yield from (part.as_posix() for part in (relative, *relative.parents))


@dataclass(frozen=True)
class _Selection:
    nodes: Mapping[str, Node]
    graph: Graph
    root: Path
    methods: Mapping[str, Method]
    named: Mapping[str, SelectorConfig]
    inside: tuple[str, ...] = field(default=())
    """Named selectors that are being read, to find those that contain themselves."""

    @cached_property
    def on_demand(self) -> set[str]:
        """The stages on demand, and all that is built from them."""
        marked = {name for name, node in self.nodes.items() if node.config.on_demand}
        return marked.union(*(self.graph.descendants(name) for name in marked))

    def names(self, chosen: Iterable[str], excluded: Iterable[str]) -> set[str]:
        texts = tuple(chosen)
        words = [word for text in texts for word in text.split()]
        if texts and not words:  # as of an unset variable of the shell: it must not mean everything
            raise SelectorError("the selector is empty", hint="leave out `--select` to select all")
        every = self.nodes.keys() - self.on_demand
        names = set().union(*(self._intersection(word) for word in words)) if words else every
        return names.difference(*(self._intersection(word) for text in excluded for word in text.split()))

    def _intersection(self, word: str) -> set[str]:
        return set.intersection(*(self._term(term) for term in word.split(",")))

    def _term(self, term: str) -> set[str]:
        match = _TERM.match(term)
        if not match:
            raise SelectorError(
                f"cannot read the selector {term!r}", hint="for example `+negatives`, `tag:slow`, `a,b`"
            )
        found = self._core(match["core"])
        names = set(found)
        for name in found:
            if match["plus_up"]:
                names |= self.graph.ancestors(name, int(match["up"]) if match["up"] else None)
            if match["plus_down"] or match["at"]:
                below = self.graph.descendants(name, int(match["down"]) if match["down"] else None)
                names |= below if name in self.on_demand else below - self.on_demand
        if match["at"]:
            for name in tuple(names):
                names |= self.graph.ancestors(name)
        return names

    def _core(self, core: str) -> set[str]:
        method, colon, value = core.partition(":")
        if not colon:
            unlisted = self.root / "sql" / f"{core}.sql"
            if core not in self.nodes and unlisted.is_file():
                what = f"there is no stage {core!r}, only its SQL"
                raise SelectorError(what, hint=f"list `- name: {core}` under `stages:` in a file in pipelines/")
            return _matching(core, {name: (name,) for name in self.nodes}, core)
        if method == _NAMED:
            return self._named(value)
        if method not in self.methods:
            methods = (*self.methods, _NAMED)
            what = f"unknown selector method {method!r} in {core!r}"
            raise SelectorError(what, hint=_near(method, methods) or f"methods: {', '.join(methods)}")
        how = self.methods[method]
        pattern = value or how.default
        if method == "path" and value:  # nothing, as of an unset variable of the shell, must not mean everything
            pattern = Path(os.path.relpath((self.root / value).resolve(), self.root.resolve())).as_posix()
        if how.values is None:
            return _matching(pattern, how.labels(), core, f"{method}:")
        if not any(fnmatchcase(known, pattern) for known in how.values):
            hint = _near(core, (f"{method}:{known}" for known in how.values))
            listed = f"values of {method!r}: {', '.join(sorted(how.values)[:10])}"
            raise SelectorError(f"the selector {core!r} matches nothing", hint=hint or listed)
        return _having(pattern, how.labels())

    def _named(self, name: str) -> set[str]:
        if name not in self.named:
            hint = _near(name, self.named) or f"project.yml names: {', '.join(self.named) or 'none'}"
            raise SelectorError(f"there is no selector {name!r} in project.yml", hint=hint)
        if name in self.inside:
            circle = " -> ".join((*self.inside, name))
            raise SelectorError(f"selectors of project.yml contain each other in a circle: {circle}")
        inner = replace(self, inside=(*self.inside, name))
        return inner.names(self.named[name].select, self.named[name].exclude)


def _having(pattern: str, labels: Labels) -> set[str]:
    return {name for name, known in labels.items() if any(fnmatchcase(label, pattern) for label in known)}


def _matching(pattern: str, labels: Labels, core: str, prefix: str = "") -> set[str]:
    found = _having(pattern, labels)
    if not found:
        hint = _near(core, {prefix + label for known in labels.values() for label in known})
        raise SelectorError(f"the selector {core!r} matches nothing", hint=hint or "`hnm ls` lists all stages")
    return found


def _near(text: str, known: Iterable[str]) -> str | None:
    """A hint that lists up to three known texts that are close, the closest first."""
    near = get_close_matches(text, sorted(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(repr(match) for match in near)}?" if near else None

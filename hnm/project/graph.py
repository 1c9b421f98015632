"""The graph of a project's nodes. Pure: names in, names out. Without networkx, whose import takes a sixth of a plan."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from hnm.errors import Location, ProjectError

if TYPE_CHECKING:
    from hnm.project.manifest import Node

Edges = Mapping[str, Iterable[str]]


class Graph:
    """Edges run from what is read to what reads it. `order` is topological, and else as the names were given."""

    def __init__(self, depends_on: Edges, places: Mapping[str, Location] | None = None) -> None:
        """`depends_on`: each node's name to the names it reads; `places`: where it is declared.

        Raises ProjectError for a cycle.
        """
        self._parents = {name: tuple(parents) for name, parents in depends_on.items()}
        self._children: dict[str, list[str]] = {name: [] for name in depends_on}
        for name, parents in self._parents.items():
            for parent in parents:
                self._children[parent].append(name)
        try:
            self.order = tuple(_sorted(self._parents))
        except CycleError as error:
            circle = error.args[1]
            raise ProjectError(
                f"stages read each other in a circle: {' -> '.join(circle)}",
                where=(places or {}).get(circle[0]),
                hint="remove one of these refs",
            ) from None

    def ancestors(self, name: str, depth: int | None = None) -> set[str]:
        """All that `name` is built from, up to `depth` steps away; without `name`."""
        return reach(self._parents, name, depth)

    def descendants(self, name: str, depth: int | None = None) -> set[str]:
        """All that is built from `name`, up to `depth` steps away; without `name`."""
        return reach(self._children, name, depth)


def graph_of(nodes: "Mapping[str, Node]") -> Graph:
    """The graph of a project. Raises ProjectError for a cycle."""
    return Graph({name: node.depends_on for name, node in nodes.items()}, {n: node.where for n, node in nodes.items()})


def reach(edges: Edges, name: str, depth: int | None = None) -> set[str]:
    """All that edges lead to from `name` in `depth` steps or, by default, any number; without `name`."""
    found, last = {name}, [name]
    while last and depth != 0:
        last = list({other for one in last for other in edges[one]} - found)
        found.update(last)
        depth = depth and depth - 1
    return found - {name}


def _sorted(depends_on: Edges) -> Iterable[str]:
    """Of those whose parents have come, the one that was given first."""
    place = {name: index for index, name in enumerate(depends_on)}
    names = list(depends_on)
    sorter = TopologicalSorter(depends_on)
    sorter.prepare()
    ready = [place[name] for name in sorter.get_ready()]
    heapify(ready)
    while ready:
        name = names[heappop(ready)]
        yield name
        sorter.done(name)
        for other in sorter.get_ready():
            heappush(ready, place[other])

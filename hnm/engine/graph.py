"""The graph of a project's nodes. Pure: names in, names out."""

from collections.abc import Iterable, Mapping
from typing import Any

import networkx as nx

from hnm.errors import Location, ProjectError


class Graph:
    """Edges run from what is read to what reads it. `order` is topological, and else as the names were given."""

    def __init__(self, depends_on: Mapping[str, Iterable[str]], places: Mapping[str, Location] | None = None) -> None:
        """`depends_on`: each node's name to the names it reads; `places`: where it is declared.

        Raises ProjectError for a cycle.
        """
        self._graph: nx.DiGraph[Any] = nx.DiGraph()
        self._graph.add_nodes_from(depends_on)
        self._graph.add_edges_from((parent, child) for child, parents in depends_on.items() for parent in parents)
        place = {name: index for index, name in enumerate(depends_on)}
        try:
            self.order: tuple[str, ...] = tuple(nx.lexicographical_topological_sort(self._graph, key=place.__getitem__))
        except nx.NetworkXUnfeasible:
            edges = nx.find_cycle(self._graph)
            circle = [edges[0][0], *(edge[1] for edge in edges)]
            raise ProjectError(
                f"stages read each other in a circle: {' -> '.join(circle)}",
                where=(places or {}).get(circle[0]),
                hint="remove one of these refs",
            ) from None

    def ancestors(self, name: str, depth: int | None = None) -> set[str]:
        """All that `name` is built from, up to `depth` steps away; without `name`."""
        return _reach(self._graph.reverse(copy=False), name, depth)

    def descendants(self, name: str, depth: int | None = None) -> set[str]:
        """All that is built from `name`, up to `depth` steps away; without `name`."""
        return _reach(self._graph, name, depth)


def _reach(graph: "nx.DiGraph[Any]", name: str, depth: int | None) -> set[str]:
    return set(nx.single_source_shortest_path_length(graph, name, cutoff=depth)) - {name}

"""The versions that inputs name, as `ref(triplets@v1)`: each is like the state of a stage that no run builds."""

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from hnm.dataset.find import find
from hnm.dataset.past_state import past_state
from hnm.errors import WarehouseError
from hnm.warehouse.state import Materialization
from hnm.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from hnm.project.manifest import Node


def pinned_versions(nodes: Iterable["Node"], warehouse: Warehouse) -> dict[str, Materialization]:
    """The state that each version was, by reference.

    Raises WarehouseError, with the place of the reference, when there is no such version.
    """
    return {reference: _state(warehouse, reference, node) for reference, node in _references(nodes).items()}


def pinned_and_known(nodes: Iterable["Node"], warehouse: Warehouse) -> dict[str, Materialization]:
    """The same without those that there are not."""
    found: dict[str, Materialization] = {}
    for reference, node in _references(nodes).items():
        with suppress(WarehouseError):
            found[reference] = _state(warehouse, reference, node)
    return found


def _references(nodes: Iterable["Node"]) -> dict[str, "Node"]:
    """Each reference to a version, with a node that makes it."""
    return {reference: node for node in nodes for reference in node.pinned}


def _state(warehouse: Warehouse, reference: str, node: "Node") -> Materialization:
    stage, _, version = reference.partition("@")
    try:
        return past_state(warehouse, find(warehouse, stage, version))
    except WarehouseError as error:
        what = f"{node.name} reads {reference}, but {error.what}"
        raise WarehouseError(what, where=node.pinned[reference], why=error.why, hint=error.hint) from None

"""What a person sees of one stage."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from hnm.cli.console import stderr
from hnm.project.references import stage_of

if TYPE_CHECKING:
    from hnm.api import Project
    from hnm.project.manifest import Node
    from hnm.warehouse.state import Materialization


def print_stage(node: "Node", done: "Materialization | None", project: "Project") -> None:
    """Facts of a stage on stderr: its rows follow on stdout."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    facts = {
        "stage": node.name,
        "description": node.config.description,
        "kind": f"{node.kind}, {node.materialized}",
        "reads": ", ".join(node.reads),
        "read by": _readers(node.name, project),
    }
    if done is None:
        facts["built"] = "never; `hnm run` builds it"
    else:
        facts |= {
            "built": f"{done.built_at}, in {done.seconds:.1f} s",
            "rows": f"{done.row_count:,}",
            "data version": done.data_version,
            "location": done.location or "",
            **{name: str(value) for name, value in done.facts.items() if name not in ("files", "sql")},
        }
    for name, value in facts.items():
        if value:
            table.add_row(name, Text(value))
    stderr().print(table)


def _readers(name: str, project: "Project") -> str:
    """The stages that read this one; the cells of experiments are too many to be named."""
    nodes = project.manifest.nodes
    readers = [other for other in project.graph.order if name in map(stage_of, nodes[other].reads)]
    cells = [other for other in readers if "experiment" in nodes[other].config.tags]
    named = [other for other in readers if other not in cells]
    return ", ".join([*named, *([f"{len(cells)} stages of experiments"] if cells else [])])

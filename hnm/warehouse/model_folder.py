"""The folder of a published model: which files count, and whether they are still what was built."""

from pathlib import Path

from hnm.errors import WarehouseError
from hnm.warehouse.digest import file_sha256, files_version


def model_files(folder: Path) -> list[Path]:
    """All files but model cards, which hold dates; sorted."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".md"]


def folder_version(folder: Path) -> str:
    """Digest of a model's files."""
    return files_version([(str(path.relative_to(folder)), file_sha256(path)) for path in model_files(folder)])


def intact(folder: Path, version: str, stage: str) -> Path:
    """The folder, after reading all of it. Raises WarehouseError when it is not what `stage` published as `version`."""
    if folder_version(folder) != version:
        raise WarehouseError(
            f"the model {stage} is not as it was built",
            why=f"files are missing or others in {folder}",
            hint=f"build it anew: `hnm run --select {stage} --full-refresh`",
        )
    return folder

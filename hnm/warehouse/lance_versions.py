"""Old versions of a Lance dataset: which may go, how much they hold, and how they go."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hnm.warehouse.lance_manifests import damage_as_os_error, open_dataset
from hnm.warehouse.lance_tags import tags_of


@dataclass(frozen=True)
class OldVersions:
    """Versions of the dataset at `path` that nothing needs, and the bytes that only they hold.

    `named`: the version that the state names, when a newer one that was never published hides it.
    """

    path: Path
    versions: tuple[int, ...]
    bytes: int
    named: int | None = None


def find_old_versions(path: Path, needed: set[int], named: int | None) -> OldVersions:
    """The versions that are neither `needed` nor tagged, and leftovers of writes that were killed.

    `named`: the version that the state names, if any. Raises OSError when there is no dataset at `path`, or when it is
    damaged, and DamagedTagError when it cannot be told what is tagged.
    """
    dataset = open_dataset(path)
    latest = int(dataset.version)
    kept = needed | set(tags_of(path).values())
    with damage_as_os_error():
        present = [int(entry["version"]) for entry in dataset.versions()]
        old = tuple(version for version in present if version not in {*kept, latest})
        explained = dataset.explain_cleanup_old_versions(
            versions=list(old) or [latest], delete_unverified=True, error_if_tagged_old_versions=False
        )
    size = int(explained.stats.bytes_removed)
    unpublished = _files(path, latest) - _files(path, *kept) if named is not None and latest not in kept else set()
    if not unpublished:  # a latest version that no one names but that holds nothing of its own costs nothing
        return OldVersions(path, old, size)
    return OldVersions(path, (*old, latest), size + sum(file.stat().st_size for file in unpublished), named)


def remove_old_versions(found: OldVersions) -> None:
    """Remove what `find_old_versions` found. No one may write the dataset meanwhile: hold the run's lock.

    Lance never removes the newest version. So where that is one to go, the named one is made the newest again first: a
    new version over the same files.
    """
    import lance

    if found.named is not None:
        named: Any = lance.dataset(str(found.path), version=found.named)
        named.restore()
    dataset = lance.dataset(str(found.path))
    dataset.cleanup_old_versions(
        versions=list(found.versions) or [dataset.version], delete_unverified=True, error_if_tagged_old_versions=False
    )


def only_version(path: Path, version: int, named: int | None) -> OldVersions:
    """One version to remove. `named`: the version that the state names, if any."""
    import lance

    newest = int(lance.dataset(str(path)).version) == version
    return OldVersions(path, (version,), 0, named if newest else None)


def _files(path: Path, *versions: int) -> set[Path]:
    """The data files that versions are made of."""
    import lance

    return {
        path / "data" / file.path
        for version in versions
        for fragment in lance.dataset(str(path), version=version).get_fragments()
        for file in fragment.data_files()
    }

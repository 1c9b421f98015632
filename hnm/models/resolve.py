"""From the name of a model to a folder with its files: bundled with a package, a local folder, or a model hub.

A hub's model is downloaded into the hub's own cache and is from then on a folder like any other. Weights are read from
safetensors only, and code that comes with a model is never run.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hnm.distributions import version
from hnm.errors import ModelError, nearest
from hnm.models.bundled import BUNDLED, bundled_folder, verify
from hnm.warehouse.digest import file_sha256, files_version

Kind = Literal["bundled", "folder", "hub"]

HUB_NAME = re.compile(r"(?P<repository>[\w-][\w.-]*(?:/[\w-][\w.-]*)?)(?:@(?P<revision>[\w./-]+))?")
HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
HUB_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class ResolvedModel:
    """A model by name: what kind of name it is, and the folder with its files (None for a hub's model, see `fetch`)."""

    name: str
    kind: Kind
    path: Path | None

    def fetch(self) -> Path:
        """The folder with the model's files, checked and ready to load; downloads a hub's model unless it is cached.

        Raises ModelError when a bundled file is not the published one, when the hub has no such model or cannot be
        reached, and when weights exist only as pickles.
        """
        folder = self.path or _download(self.name)
        if self.kind == "bundled":
            verify(self.name, folder)
        else:
            refuse_pickles(self.name, folder)
        return folder


def resolve(name: str, root: Path) -> ResolvedModel:
    """What `name` stands for, without network: a bundled model, else a folder (relative to `root`), else a hub's model.

    A hub name is `organisation/model` or `model`, with `@revision` (tag, branch or commit) if wanted.
    Raises ModelError for a bundled model whose package is missing, and for a name that is none of the three.
    """
    if name in BUNDLED:
        return ResolvedModel(name, "bundled", bundled_folder(name))
    folder = _local_folder(name, root)
    if folder:
        return ResolvedModel(name, "folder", folder)
    if not HUB_NAME.fullmatch(name):
        raise ModelError(
            f"model {name!r} not found", why=f"there is no such folder, seen from {root}", hint=_hint(name)
        )
    return ResolvedModel(name, "hub", None)


def model_identity(name: str) -> dict[str, str]:
    """Facts about a model that a stage's fingerprint needs beside its name; takes milliseconds, reads no weights.

    Bundled: the version of the package that carries it (`missing` when it is not installed; the content is pinned by
    SHA-256 and checked at loading). Anything else: nothing; the content of a local folder comes in through
    `model_files`, and a hub's model is what its name says: without `@revision` a new upload goes unnoticed.
    """
    if name not in BUNDLED:
        return {}
    package = BUNDLED[name].package
    try:
        return {"package": package, "version": version(package)}
    except ModuleNotFoundError:
        return {"package": package, "version": "missing"}


def model_version(folder: Path) -> str:
    """What the weights in a model's folder are, as 32 hex digits: SHA-256 of the files that hold them, by name."""
    weights = sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".onnx"))
    return files_version([(str(path.relative_to(folder)), file_sha256(path)) for path in weights])


def model_files(name: str, root: Path) -> list[Path]:
    """The files of a model that is a local folder, sorted; none for a bundled or a hub's model."""
    folder = None if name in BUNDLED else _local_folder(name, root)
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []


def refuse_pickles(name: str, folder: Path) -> None:
    """Raises ModelError when a folder has no safetensors, or a part of the model only has pickled weights."""
    safe = {path.parent for path in folder.rglob("*.safetensors")}
    pickled = sorted(path for path in folder.rglob("pytorch_model*.bin") if path.parent not in safe)
    if safe and not pickled:
        return
    why = f"{pickled[0]} is a pickle, and loading a pickle can run any code" if pickled else f"none is in {folder}"
    raise ModelError(
        f"model {name!r} has no safetensors weights", why=why, hint="save the model again with save_pretrained"
    )


def loading_errors() -> tuple[type[Exception], ...]:
    """What the model libraries raise for a folder whose files are damaged, missing or for something else."""
    from safetensors import SafetensorError

    damaged = (OSError, ValueError, RuntimeError, SafetensorError)
    unexpected = (TypeError, AttributeError, LookupError, ImportError)  # a description of an unexpected shape
    return (*damaged, *unexpected)


def _local_folder(name: str, root: Path) -> Path | None:
    folder = root / os.path.expanduser(name)  # noqa: PTH111  # unlike Path's, it lets an unknown ~user pass
    return folder.resolve() if name and folder.is_dir() else None


def _download(name: str) -> Path:
    """The hub's snapshot of a model in the local cache; goes on with a cached copy when the hub cannot be reached."""
    match = HUB_NAME.fullmatch(name)
    if match is None:
        raise ModelError(f"{name!r} is not the name of a hub's model", hint=_hint(name))
    repository, revision = match["repository"], match["revision"]
    problems = []
    for candidate in _candidates(repository):
        found = _snapshot(candidate, revision)
        if isinstance(found, Path):
            return found
        problems.append(f"{candidate}: {found}")
    raise ModelError(f"model {name!r} cannot be had", why="; ".join(problems), hint=_hint(name))


def _candidates(repository: str) -> Iterable[str]:
    """A name without an organisation may also be one of sentence-transformers' own models."""
    return (repository,) if "/" in repository else (repository, f"sentence-transformers/{repository}")


def _snapshot(repository: str, revision: str | None) -> Path | str:
    """A snapshot's folder, or in one line why there is none.

    One request with a time limit tells whether the hub answers; without it the client would wait and retry for minutes.
    """
    from huggingface_hub import HfApi, snapshot_download

    # The base error of the HTTP library that the hub's client happens to use; imported there, not exported.
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # not in its __all__

    try:
        HfApi().model_info(repository, revision=revision, timeout=HUB_TIMEOUT_SECONDS)
        return Path(snapshot_download(repository, revision=revision, allow_patterns=HUB_FILES))
    except (OSError, ValueError, HTTPError) as error:
        problem = str(error).strip().partition("\n")[0]
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=HUB_FILES, local_files_only=True))
    except (OSError, ValueError):
        return problem


def _hint(name: str) -> str:
    """What to try instead of a model name that leads nowhere."""
    close = nearest(name.rpartition("/")[2], BUNDLED)
    steps = "check the spelling, give a local folder, or check the network and HF_TOKEN (private and gated models)"
    return f"{close} Or {steps}" if close else steps

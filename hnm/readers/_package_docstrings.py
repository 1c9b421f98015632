"""Docstrings of installed packages: one child process per package, outcomes kept in a cache folder.

An outcome is a function of the package's version, Python, and the time limit, and so is its file's name: the three
tables of `api_reference` are built from one extraction, and see the same packages left out.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from hnm.context import Context
from hnm.distributions import version
from hnm.readers._extract_docstrings import STDLIB

EXTRACTOR = Path(__file__).with_name("_extract_docstrings.py")
DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "cv2": "opencv-python",
    "yaml": "PyYAML",
    "bs4": "beautifulsoup4",
}
"""Names under which packages are installed, where they differ from the names under which they are imported."""

PASSED_ON = (
    *(
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TMPDIR",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
    ),
    *("PYTHONPATH", "SYSTEMROOT", "USERPROFILE", "TEMP", "TMP"),
)
"""The only variables that a child process inherits: secrets of the environment must not get into a table."""

QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
    "NO_COLOR": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",  # sets appear in signatures, in the order of their hashes
    "PYTHONWARNINGS": "ignore",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_OFFLINE": "1",
}
LOG_CHARACTERS = 300
CACHE = Path("target", "cache", "api_reference")
"""In the project's folder."""


@dataclass(frozen=True)
class Extraction:
    """What one package gave. `error`: why it was left out, or None. `facts`: see `_extract_docstrings`."""

    package: str
    error: str | None
    modules: int = 0
    failed_modules: Mapping[str, str] = field(default_factory=dict)
    facts: Sequence[Mapping[str, str]] = ()


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of Python, of the packages and of the extractor: all that the docstrings depend on. Quick."""
    python = f"{platform.python_version()} {sys.platform}"
    extractor = hashlib.sha256(EXTRACTOR.read_bytes()).hexdigest()[:16]
    found = {package: _version(package) for package in packages if package != STDLIB}
    return {"python": python, "extractor": extractor, **found}


def _version(package: str) -> str:
    try:
        return version(DISTRIBUTIONS.get(package, package))
    except PackageNotFoundError:
        return "unknown"  # not installed, or installed under yet another name


def extract(packages: Sequence[str], time_limit_seconds: float, context: Context) -> list[Extraction]:
    """The docstrings of `packages`, in their order, from the cache or from up to two child processes at once."""
    from filelock import FileLock

    folder = context.root / CACHE
    folder.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(folder / ".lock"),
        context.progress("reading docstrings", len(packages), "packages") as advance,
        ThreadPoolExecutor(max_workers=min(2, context.settings.cores)) as pool,
    ):
        outcomes = []
        for outcome in pool.map(lambda package: _cached(package, time_limit_seconds, folder), packages):
            outcomes.append(outcome)
            advance(1)
    return outcomes


def _cached(package: str, time_limit_seconds: float, folder: Path) -> Extraction:
    """One package's extraction. Failures are kept like successes, so that all tables see the same packages."""
    key = hashlib.sha256(json.dumps([versions([package]), time_limit_seconds]).encode()).hexdigest()[:16]
    file = folder / f"{package}-{key}.jsonl"
    if not file.exists():
        partial = file.with_suffix(".partial")
        error = _run_child(package, partial, time_limit_seconds)
        if error:
            partial.write_text(json.dumps({"error": error}) + "\n", encoding="utf-8")
        for outdated in folder.glob(f"{package}-*.jsonl"):
            outdated.unlink()
        partial.replace(file)
    *facts, summary = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    if "error" in summary:
        return Extraction(package, summary["error"])
    if not summary["modules"]:
        return Extraction(package, summary["failed_modules"][package])
    return Extraction(package, None, summary["modules"], summary["failed_modules"], facts)


def _run_child(package: str, output: Path, time_limit_seconds: float) -> str | None:
    """Extract one package to `output`. Returns why it failed, or None. What the package prints goes to a log beside."""
    log = output.with_suffix(".log")
    command = [sys.executable, "-P", str(EXTRACTOR), package, str(output.resolve())]
    try:
        with log.open("wb") as stream:
            child = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=time_limit_seconds,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ} | QUIET,
                cwd=output.parent,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return f"took longer than {time_limit_seconds:g} s"
    last_words = log.read_text(encoding="utf-8", errors="replace").strip()[-LOG_CHARACTERS:]
    if child.returncode:
        return f"the child process ended with code {child.returncode}: {last_words}"
    log.unlink()
    return None

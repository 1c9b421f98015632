"""Which commit the project's files are at, where they are under git, and how they differ from another one."""

import os
import subprocess
from pathlib import Path
from shutil import which

SECONDS = 10
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def code_state(root: Path) -> dict[str, str | bool]:
    """`commit` (40 hex digits), `branch` and `dirty` (does any file of the project differ from the commit?).

    Empty where `root` is in no git work tree, has no commit yet, or there is no git.
    """
    commit = _ask(root, "rev-parse", "--verify", "HEAD")
    if not commit:
        return {}
    branch = _ask(root, "rev-parse", "--abbrev-ref", "HEAD") or ""
    changed = _ask(root, "status", "--porcelain", "--", ".")
    return {"commit": commit, "branch": branch, "dirty": changed is None or bool(changed)}


def differs_from(root: Path, commit: str, path: str = ".") -> bool | None:
    """Do files that git knows differ from a commit? `path`: which, from `root`. None where git does not know it."""
    done = _git(root, "diff", "--quiet", commit, "--", path)
    return bool(done.returncode) if done and done.returncode in (0, 1) else None


def _ask(root: Path, *arguments: str) -> str | None:
    """What git says, or None when it fails."""
    done = _git(root, *arguments)
    return done.stdout.strip() if done and done.returncode == 0 else None


def _git(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str] | None":
    """A run of git, or None where there is none or it takes too long."""
    git = which("git")
    if not git:
        return None
    command = [git, "-C", str(root), "-c", "core.fsmonitor=false", *arguments]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, env={**os.environ, **_QUIET}, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None

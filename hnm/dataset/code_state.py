"""Which commit the project's files are at, where they are under git."""

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
    git = which("git")
    commit = git and _ask(git, root, "rev-parse", "--verify", "HEAD")
    if not git or not commit:
        return {}
    branch = _ask(git, root, "rev-parse", "--abbrev-ref", "HEAD") or ""
    changed = _ask(git, root, "status", "--porcelain", "--", ".")
    return {"commit": commit, "branch": branch, "dirty": changed is None or bool(changed)}


def _ask(git: str, root: Path, *arguments: str) -> str | None:
    """What git says, or None when it fails."""
    command = [git, "-C", str(root), "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, env={**os.environ, **_QUIET}, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

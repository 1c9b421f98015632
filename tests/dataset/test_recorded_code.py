"""The way back to the code that a version was built from."""

import os
import subprocess

import pytest
from tiny_project import HNM, environment

IDENTITY = {f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(project, *arguments):
    command, env = ["git", *arguments], environment(IDENTITY)
    return subprocess.run(command, cwd=project.root, env=env, check=True, capture_output=True, text=True).stdout.strip()


def release(project, ignored):
    """Build v3 at the first commit of a new repository."""
    git(project, "init", "-b", "trunk")
    project.write(".gitignore", f"{ignored}\ntarget\n__pycache__\n")
    git(project, "add", ".")
    git(project, "commit", "-m", "first")
    project.run(per_pair=4)
    assert project.hnm("dataset", "tag", "v3").returncode == 0


@pytest.fixture
def committed(versions):
    """v3, built at the first commit of a repository whose second one has other SQL."""
    release(versions, ignored="data/warehouse")
    versions.edit("sql/triplets.sql", "1.0::float", "2.0::float")
    git(versions, "commit", "-am", "second")
    return versions


def reproduce(project):
    return project.hnm("dataset", "reproduce", "v3")


def test_the_command_that_is_told_builds_the_version_again_and_comes_back(committed):
    for uncommitted in (False, True):
        if uncommitted:
            committed.edit("sql/triplets.sql", "2.0::float", "3.0::float")
        done = reproduce(committed)
        assert (done.returncode, "triplets: the SQL changed" in done.stdout) == (1, True)
        (command,) = (line for line in done.stderr.splitlines() if line.lstrip().startswith("git "))
        assert ("git stash" in command) == uncommitted
        env = environment(IDENTITY | {"PATH": f"{HNM.parent}:{os.environ['PATH']}"})
        ran = subprocess.run(command, shell=True, cwd=committed.root, env=env, capture_output=True, text=True)  # noqa: S602
        assert "equal triplets@v3 came out again" in ran.stdout, ran.stderr
        assert git(committed, "rev-parse", "--abbrev-ref", "HEAD") == "trunk"
        wanted = "3.0::float" if uncommitted else "2.0::float"
        assert wanted in (committed.root / "sql/triplets.sql").read_text()


def test_nothing_is_said_where_the_code_is_as_it_was(versions):
    """The data, which are not under git, are what differs."""
    release(versions, ignored="data")
    versions.edit("data/judgments.csv", "q1,d1", "q1,d5")
    done = reproduce(versions)
    assert "file data/judgments.csv changed" in done.stdout
    assert "hint" not in done.stderr
    versions.write("README.md", "no code\n")
    git(versions, "add", ".")
    git(versions, "commit", "-m", "second")
    assert "git checkout" in reproduce(versions).stderr


def test_changes_that_were_never_committed_are_told(committed):
    committed.edit("sql/triplets.sql", "2.0::float", "3.0::float")
    committed.run(per_pair=4)
    committed.hnm("dataset", "tag", "v3", "--force")
    committed.edit("sql/triplets.sql", "3.0::float", "2.0::float")
    said = reproduce(committed).stderr
    assert "with changes that were not committed" in said
    assert "git checkout" not in said


def test_a_commit_that_is_gone_and_no_git_at_all(committed):
    (committed.root / ".git").rename(committed.root / "git-of-before")
    assert "commit" not in reproduce(committed).stderr
    git(committed, "init", "-b", "trunk")
    git(committed, "add", "project.yml")
    git(committed, "commit", "-m", "other")
    assert "this repository does not have that commit: fetch it first" in reproduce(committed).stderr

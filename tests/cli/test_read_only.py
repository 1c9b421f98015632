"""Folders that cannot be written: every command says so, or does without."""

import os
import subprocess
from pathlib import Path

import pytest
from tiny_project import HNM, TinyProject, environment

MOUNT = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'


def read_only(folder: Path, *command: object, **env: str) -> "subprocess.CompletedProcess[str]":
    """A command for which `folder` is read-only: root, whom permissions do not bind, needs a mount of its own."""
    prefix = ["unshare", "--mount", "sh", "-c", MOUNT, "sh", folder]
    if os.geteuid() != 0:
        prefix = ["sh", "-c", 'chmod -R a-w "$1"; shift; "$@"; code=$?; chmod -R u+w "$0"; exit $code', folder, folder]
    elif subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mounts here")
    return subprocess.run([*prefix, *command], env=environment(env), capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        (".", ["run", "--full-refresh"]),
        ("data", ["run", "--full-refresh"]),
        ("target", ["run"]),
        ("target", ["build"]),
        ("data", ["test"]),
        ("target", ["parse"]),
        ("target", ["compile"]),
        ("target", ["clean"]),
        ("data", ["clean", "--all", "-y"]),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_named(built: TinyProject, folder: str, command: list[str]) -> None:
    place = (built.root / folder).resolve()
    done = read_only(place, HNM, *command, "--project", built.root)
    assert (done.returncode, "Traceback" in done.stderr, "bug in hnm" in done.stderr) == (1, False, False), done.stderr
    assert f"  at: {place}" in done.stderr
    assert is_said(done.stderr)
    assert built.rows("select count(*) from report") == [(1,)]


def is_said(words: str) -> bool:
    return "Read-only file system" in words or "Permission denied" in words


def test_what_only_reads_works(built: TinyProject) -> None:
    for command in (["plan"], ["query", "from report"], ["summary"], ["show", "vectors"], ["dataset", "list"]):
        done = read_only(built.root, HNM, *command, "--project", built.root)
        assert (done.returncode, "error" in done.stderr) == (0, False), done.stderr


def test_tags_that_cannot_be_written(built: TinyProject) -> None:
    assert built.hnm("dataset", "tag", "old", "vectors").returncode == 0
    for arguments, words in (
        (["tag", "v1", "vectors"], "version 1 of vectors cannot be tagged"),
        (["untag", "vectors@old"], "vectors@old cannot be untagged"),
    ):
        done = read_only(built.root / "data", HNM, "dataset", *arguments, "--project", built.root)
        assert done.returncode == 1
        assert words in done.stderr
        assert is_said(done.stderr)
        assert f"hint: can {built.root}/data/warehouse/lance/vectors.lance be written?" in done.stderr


def test_a_destination(built: TinyProject, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for arguments in (
        ["query", "from report", "--format", "csv", "--output", out / "rows.csv", "--project", built.root],
        ["init", out / "mine"],
    ):
        done = read_only(out, HNM, *arguments)
        assert done.returncode == 1
        assert str(out) in done.stderr
        assert is_said(done.stderr)
        assert "Traceback" not in done.stderr


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(built: TinyProject, tmp_path: Path) -> None:
    for cache in (tmp_path / "empty", tmp_path / "there"):
        cache.mkdir()
    (tmp_path / "there" / "hnm" / "templates").mkdir(parents=True)
    for cache in (tmp_path / "empty", tmp_path / "there"):
        done = read_only(cache, HNM, "plan", "--project", built.root, XDG_CACHE_HOME=str(cache))
        assert (done.returncode, done.stderr) == (0, "\n6 fresh\n")


def test_a_file_where_a_folder_must_be(built: TinyProject) -> None:
    (built.root / "target").rename(built.root / "elsewhere")
    (built.root / "target").write_text("")
    done = built.hnm("run")
    assert done.returncode == 1
    assert f"at: {built.root / 'target'}" in done.stderr
    assert "a file stands where a folder must" in done.stderr


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("data/warehouse/run.lock", ["run"]),
        ("data/warehouse/hnm.duckdb", ["run"]),
        ("data/warehouse/hnm.duckdb.new", ["run"]),
        ("target/compiled/documents.sql", ["run"]),
        ("target/manifest.json", ["parse"]),
    ],
)
def test_a_folder_where_a_file_must_be(tiny: TinyProject, name: str, command: list[str]) -> None:
    (tiny.root / name / "inner").mkdir(parents=True)
    done = tiny.hnm(*command)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert f"at: {tiny.root / name}\n" in done.stderr
    assert "a folder stands where a file must" in done.stderr


def test_a_folder_where_a_mere_note_would_be(tiny: TinyProject) -> None:
    (tiny.root / "data/warehouse/run.lock.json").mkdir(parents=True)
    assert tiny.run().ok

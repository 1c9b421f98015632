"""Versions whose manifest was damaged or deleted by hand: every command about versions says so."""

import json

import pytest

FOLDER = "data/warehouse/lance/triplets.lance"


def manifest(project, number):
    return project.root / FOLDER / "_versions" / f"{2**64 - 1 - number}.manifest"


def harm(project, number, how):
    file = manifest(project, number)
    file.unlink() if how == "deleted" else file.write_bytes(b"x" * file.stat().st_size)


def said(project, *arguments, code=0):
    """What a command wrote, as one line."""
    done = project.hnm(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("how", ["damaged", "deleted"])
@pytest.mark.parametrize(
    ("number", "name", "hint"),
    [
        (2, "triplets", "`hnm run --select triplets --full-refresh`"),
        (1, "triplets@v1", "`hnm dataset reproduce triplets@v1`"),
    ],
)
def test_a_current_or_tagged_version_without_a_manifest_is_damaged(versions, how, number, name, hint):
    harm(versions, number, how)
    for arguments in (["--all"], [name]):
        assert f"damaged triplets@v{number}" in (shown := said(versions, "dataset", "verify", *arguments, code=1))
        assert hint in shown
    log = json.loads(versions.hnm("dataset", "log", "--json").stdout)
    assert {row["lance_version"]: row["damaged"] for row in log} == {1: number == 1, 2: number == 2}
    assert ("current, damaged" if number == 2 else "damaged") in said(versions, "dataset", "log")
    assert "2, 1 damaged" in said(versions, "dataset", "list")


@pytest.mark.parametrize("how", ["damaged", "deleted"])
def test_what_cannot_be_done_with_a_damaged_version_is_said_so(versions, how):
    harm(versions, 1, how)
    verify = "`hnm dataset verify triplets@v1`"
    assert verify in said(versions, "query", 'select * from "triplets@v1"', code=1)
    assert verify in said(versions, "dataset", "restore", "v1", code=1)
    assert verify in said(versions, "dataset", "tag", "gold", "v1", code=1)
    assert "is tagged" in said(versions, "dataset", "rm", "v1", code=1)
    assert said(versions, "query", 'select count(*) from "triplets@v2"', "--format", "csv").endswith("9")
    said(versions, "dataset", "tag", "v1", "v2", "--force")
    assert said(versions, "query", 'select count(*) from "triplets@v1"', "--format", "csv").endswith("9")


def test_a_tag_of_a_damaged_version_can_be_taken_away_and_the_version_removed(versions):
    said(versions, "dataset", "untag", "v1")
    versions.run(per_pair=3, shift=2)
    harm(versions, 1, "damaged")
    said(versions, "dataset", "untag", "v2")
    assert "cannot be removed" in said(versions, "dataset", "rm", "2", code=1)
    said(versions, "dataset", "rm", "1")
    assert "was removed" in said(versions, "dataset", "verify", "triplets@1", code=1)
    said(versions, "dataset", "rm", "2")
    said(versions, "gc", "--yes")
    said(versions, "dataset", "verify", "--all")
    assert len(list((versions.root / FOLDER / "data").iterdir())) == 1


def test_a_removed_version_is_not_damaged(versions):
    said(versions, "dataset", "untag", "v1")
    said(versions, "dataset", "rm", "1")
    assert "triplets@1" not in said(versions, "dataset", "verify", "--all")
    assert "removed" in said(versions, "dataset", "log")


def test_where_there_is_nothing_to_verify_that_is_said(tiny):
    assert "no version to verify" in said(tiny, "dataset", "verify", "--all")

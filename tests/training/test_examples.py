"""The file of groups that a training reads."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from hnm.training.examples import write_examples
from hnm.training.groups import Group


def group(number: int, negatives: int) -> Group:
    names = tuple(f"n{number}x{i}" for i in range(negatives))
    return Group(f"q{number}", f"p{number}", f"query {number}", f"good {number}", names, names, ("random",) * negatives)


GROUPS = [group(1, 4), group(2, 4), group(3, 2), group(4, 1)]


def test_a_group_is_a_row(tmp_path: Path) -> None:
    taught = replace(group(5, 2), teacher=(3.0, 1.0, -1.0), weight=0.5)
    examples = write_examples([*GROUPS, taught], tmp_path / "examples.arrow")
    rows = pa.ipc.open_stream(examples.path).read_all().to_pylist()
    assert examples.rows == len(rows) == 5
    assert rows[2] == {
        "query_id": "q3",
        "positive_id": "p3",
        "query": "query 3",
        "positive": "good 3",
        "negatives": ["n3x0", "n3x1"],
        "negative_ids": ["n3x0", "n3x1"],
        "strategies": ["random", "random"],
        "teacher": None,
        "weight": 1.0,
    }
    assert (rows[4]["teacher"], rows[4]["weight"]) == ([3.0, 1.0, -1.0], 0.5)


def test_the_digest_stands_for_what_is_learned(tmp_path: Path) -> None:
    def digest(groups: list[Group]) -> str:
        return write_examples(groups, tmp_path / "x").digest

    taught = [replace(GROUPS[0], teacher=(1.0,) * 5), replace(GROUPS[0], weight=2.0), GROUPS[0]]
    assert digest(GROUPS) == digest(list(GROUPS))
    assert len({digest(GROUPS), digest(GROUPS[::-1]), digest(GROUPS[:3]), digest([])}) == 4
    assert len({digest([one]) for one in taught}) == 3


def test_many_groups_and_none(tmp_path: Path) -> None:
    assert write_examples((group(i, 1) for i in range(1_300)), tmp_path / "many").rows == 1_300
    assert write_examples([], tmp_path / "none").rows == 0

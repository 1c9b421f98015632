"""negatives as pipelines/negatives.yml declares it: brought up to date by query, it equals a full rebuild."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from sql_stages import SQL
from tiny_project import TinyProject

QUERIES, DOCUMENTS = 6, 9
RULES: dict[str, dict[str, Any]] = {
    "in_batch": {"rule": "in_batch", "per_positive": 2},
    "mmr": {"rule": "mmr", "per_positive": 2, "pool": 4},
    "clusters": {"rule": "clustered_top", "per_positive": 2, "pool": 4},
    "capped": {"rule": "top", "per_positive": 2, "max_uses": 2},
    "mixed": {"rule": "mix", "mixes": {"simans": 1, "sampled": 1}},
}
INPUTS = {
    "scored_candidates": """
        select query_id, 'p' as positive_id, doc_id, 'train' as split, d::float as d_query_doc,
            0.5::float as d_query_positive, 0.5::float as d_positive_doc, (1 - d_query_doc)::float as fused_score,
            0.0 as rrf, 1 as agreement, 1 as rank_random, false as is_known_positive, false as is_positive_copy
        from (values {rows}) as made (query_id, doc_id, d)
    """,
    "positives": "select *, 'train' as split from (values {rows}) as made (query_id, doc_id)",
    "ensemble": """
        select 'document' as kind, id, [x, 1]::float[2] as vector from (values {rows}) as made (id, x)
    """,
    "click_evidence": "select * from (values {rows}) as made (query_id, doc_id)",
}
KEYS = {
    "scored_candidates": ["query_id", "positive_id", "doc_id"],
    "positives": ["query_id", "doc_id"],
    "ensemble": ["kind", "id"],
    "click_evidence": ["query_id", "doc_id"],
}


class Mined:
    """A project of the stage `negatives` alone, whose inputs are drawn, and edited a little at a time."""

    def __init__(self, root: Path, rule: str) -> None:
        self.rng, self.project = random.Random(rule), TinyProject(root)
        self.rows: dict[str, list[tuple[Any, ...]]] = {
            "scored_candidates": [(f"q{q}", f"d{d}", self.eighths()) for q in range(QUERIES) for d in range(DOCUMENTS)],
            "positives": [(f"q{q}", f"d{q}") for q in range(QUERIES)],
            "ensemble": [(f"d{d}", self.eighths()) for d in range(DOCUMENTS)],
            "click_evidence": [("q0", "d0")],
        }
        strategies = [
            {"name": "simans", "rule": "simans"},
            {"name": "sampled", "rule": "sampled_top", "per_positive": 2},
            {"name": rule, **RULES[rule]},
        ]
        variables = {"retrievers": [], "strategies": strategies}
        self.project.write("project.yml", yaml.safe_dump({"name": "mined", "vars": variables}))
        stages = [*({"name": name, "unique_key": key} for name, key in KEYS.items()), as_declared()]
        self.project.write("pipelines/mined.yml", yaml.safe_dump({"stages": stages}))
        self.project.write("sql/negatives.sql", (SQL / "negatives.sql").read_text(encoding="utf-8"))
        self.write()

    def eighths(self) -> float:
        return self.rng.randint(0, 8) / 8

    def write(self) -> None:
        for name, select in INPUTS.items():
            values = ", ".join(map(str, self.rows[name])).replace(",)", ")")
            self.project.write(f"sql/{name}.sql", select.format(rows=values))

    def edit(self, name: str) -> None:
        """Delete a candidate, or change a row of another input."""
        rows = self.rows[name]
        place = self.rng.randrange(len(rows))
        key, value = rows[place][:-1], rows[place][-1]
        if name == "scored_candidates":
            del rows[place]
        elif name == "positives":
            rows[place] = (*key, f"d{(int(value[1:]) + 1) % DOCUMENTS}")
        else:
            rows[place] = (*key, value + 1)
        self.write()

    def run(self, full_refresh: bool = False) -> tuple[str, list[tuple[Any, ...]]]:
        """Why `negatives` was built, and its rows."""
        result = self.project.run(*(["negatives"] if full_refresh else []), full_refresh=full_refresh)
        assert result.ok, [str(stage.error) for stage in result.results if stage.error]
        (reason,) = (stage.reason for stage in result.results if stage.name == "negatives")
        return reason, self.project.rows("select * from negatives order by all")


def as_declared() -> dict[str, Any]:
    """The stage as the default pipeline has it."""
    stages = yaml.safe_load((SQL.parent / "pipelines/negatives.yml").read_text(encoding="utf-8"))["stages"]
    (stage,) = (stage for stage in stages if stage["name"] == "negatives")
    return dict(stage)


@pytest.mark.parametrize(
    ("rule", "edited"),
    [
        ("in_batch", ["positives", "scored_candidates"]),
        ("mmr", ["ensemble", "scored_candidates"]),
        ("clusters", ["ensemble", "scored_candidates"]),
        ("capped", ["scored_candidates"]),
        ("mixed", ["scored_candidates"]),
    ],
)
def test_incremental_equals_full(tmp_path: Path, rule: str, edited: list[str]) -> None:
    mined = Mined(tmp_path, rule)
    _, before = mined.run()
    assert any(row[-3] is None for row in before)
    for name in edited:
        mined.edit(name)
        reason, after = mined.run()
        if rule == "capped":  # looks across queries
            assert not reason.endswith("keys)")
        assert after == mined.run(full_refresh=True)[1], name
    assert after != before


def test_only_the_touched_query_is_made_anew(tmp_path: Path) -> None:
    mined = Mined(tmp_path, "mmr")
    mined.run()
    mined.edit("scored_candidates")
    assert mined.run()[0].endswith("(1 keys)")

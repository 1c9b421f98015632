"""Every strategy's statistics side by side on one collection; prints a markdown table.

    python benchmarks/strategies.py COLLECTION [--queries 3000] [--project FOLDER]

COLLECTION is a BEIR folder; negatives are mined for so many training queries (and all dev queries), two for each pair
of query and positive. FOLDER keeps the project, so that a second run embeds nothing; else it is a temporary one.
The columns are those of `negative_quality`, in docs/tables.md.
"""

import argparse
import tempfile
import time
from pathlib import Path

from hnm.api import Project
from hnm.project.init import init_project, parse_source

PER_POSITIVE = 2
STRATEGIES = [
    {"name": "random", "rule": "random"},
    {"name": "in_batch", "rule": "in_batch"},
    {"name": "bm25_top", "rule": "top", "by": "score_bm25"},
    {"name": "minilm_top", "rule": "top", "by": "score_minilm"},
    {"name": "wordllama_top", "rule": "top", "by": "score_wordllama"},
    {"name": "ensemble_top", "rule": "top"},
    {"name": "window_10_50", "rule": "shifted_window", "from": 10, "to": 50},
    {"name": "sampled_200", "rule": "sampled_top", "to": 200},
    {"name": "condition_1", "rule": "condition_1"},
    {"name": "condition_2", "rule": "condition_2"},
    {"name": "paper", "rule": "dual_criterion"},
    {"name": "margin_05", "rule": "below_positive_margin", "margin": 0.05},
    {"name": "share_95", "rule": "below_positive_share", "share": 0.95},
    {"name": "chain", "rule": "below_positive_share", "share": 0.95, "fills": "paper"},
    {"name": "simans", "rule": "simans"},
    {"name": "trisampler", "rule": "trisampler"},
    {"name": "mmr", "rule": "mmr"},
]
COLUMNS = (
    "strategy", "coverage", "yield", "hardness", "margin", "inversion_rate", "slack_2", "lexical_overlap_positive",
    "near_duplicate_rate", "diversity", "hubness_max", "judged_positive_rate",
)  # fmt: skip


def measured(root: Path, queries: int) -> tuple[str, float]:
    strategies = [{**strategy, "per_positive": PER_POSITIVE} for strategy in STRATEGIES]
    project = Project.load(root, variables={"strategies": strategies, "max_train_queries": queries})
    began = time.perf_counter()
    result = project.run(project.plan(["+negative_quality"]))
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    found = {row["strategy"]: row for row in project.query("select * from negative_quality").to_pylist()}
    lines = [f"| {' | '.join(name.replace('_', ' ') for name in COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for strategy in STRATEGIES:
        row = found.get(str(strategy["name"]))
        values = [_words(row[name]) for name in COLUMNS[1:]] if row else ["none"] * (len(COLUMNS) - 1)
        lines.append(f"| {' | '.join([str(strategy['name']), *values])} |")
    count = project.query("select count(*) as n from positives").to_pylist()[0]["n"]
    return f"{count:,} pairs of query and positive\n\n" + "\n".join(lines), time.perf_counter() - began


def _words(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--queries", type=int, default=3000)
    parser.add_argument("--project", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = options.project or Path(temporary) / "project"
        if not (root / "project.yml").exists():
            init_project(root, parse_source(f"beir:{options.collection}", None))
        table, seconds = measured(root, options.queries)
    print(f"{table}\n\n{seconds:.0f} s, embedding included where that was needed")


if __name__ == "__main__":
    main()

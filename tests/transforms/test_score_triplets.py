"""Scores by class: the same pairs for every model, the first negative of each strategy, positives once."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hnm.context import Context, Settings
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.models.cross_encoder import open_cross_encoder, score_pairs
from hnm.transforms.score_triplets import ScoreTripletsParams, score_triplets

SETTINGS = Settings(device="cpu", cores=1, precision="fp32")
WORDS = ("a1", "b2", "c3", "d4", "e5")


def triplets(split: str = "dev", strategies: tuple[str, ...] = ("hard", "random")) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "query_id": word, "positive_id": f"p-{word}", "negative_id": f"{strategy}-{rank}",
                "query": word, "positive": f"{word} {word}", "negative": f"{strategy[0]}{rank} {word}",
                "strategy": strategy, "split": split, "selected_rank": rank,
            }
            for word in WORDS
            for strategy in strategies
            for rank in (2, 1)
        ]
    )  # fmt: skip


def scored(folder: Path, table: pa.Table, tmp_path: Path, **params: object) -> list[dict[str, object]]:
    inputs = Inputs.of({"trained": folder}, triplets=table)
    asked = ScoreTripletsParams(**{"models": {"start": str(folder)}, "max_length": 32, **params})  # type: ignore[arg-type] # by name
    context = Context(stage="scores", root=tmp_path, workdir=tmp_path, settings=SETTINGS)
    return pa.Table.from_batches(list(score_triplets(inputs, asked, context))).to_pylist()


def test_each_class_holds_the_scores_of_its_pairs(tiny_cross_encoder: Path, tmp_path: Path) -> None:
    rows = scored(tiny_cross_encoder, triplets(), tmp_path)
    assert [(row["model"], row["class"]) for row in rows] == [
        (model, name) for model in ("start", "trained") for name in ("positive", "hard", "random")
    ]
    model = open_cross_encoder(tiny_cross_encoder, SETTINGS, 32)
    positives = score_pairs(model, [(word, f"{word} {word}") for word in WORDS], SETTINGS, 8)
    first = score_pairs(model, [(word, f"h1 {word}") for word in WORDS], SETTINGS, 8)
    found = {row["class"]: row for row in rows if row["model"] == "trained"}
    for name, expected in (("positive", positives), ("hard", first)):
        assert found[name]["pairs"] == 5
        assert found[name]["mean"] == pytest.approx(expected.mean(), abs=1e-5)
        assert found[name]["p25"] == pytest.approx(np.percentile(expected, 25), abs=1e-5)
    assert found["hard"]["above_positive"] == pytest.approx((first >= positives).mean())
    assert found["positive"]["above_positive"] is None


def test_the_same_model_scores_the_same_whatever_the_order_of_rows(tiny_cross_encoder: Path, tmp_path: Path) -> None:
    table = triplets()
    rows = scored(tiny_cross_encoder, table, tmp_path, groups=3)
    again = scored(tiny_cross_encoder, table.take(list(range(len(table)))[::-1]), tmp_path, groups=3)
    assert rows == again
    by_model = [[{**row, "model": ""} for row in rows if row["model"] == name] for name in ("start", "trained")]
    assert by_model[0] == by_model[1]
    assert {row["pairs"] for row in rows} == {3}


def test_only_the_wanted_strategies_and_splits_count(tiny_cross_encoder: Path, tmp_path: Path) -> None:
    table = pa.concat_tables([triplets(), triplets("train", ("other",))])
    assert {row["class"] for row in scored(tiny_cross_encoder, table, tmp_path)} == {"positive", "hard", "random"}
    rows = scored(tiny_cross_encoder, table, tmp_path, strategies=["hard"])
    assert {row["class"] for row in rows} == {"positive", "hard"}


def test_nothing_to_score_is_an_error(tiny_cross_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="there are no triplets of test to score"):
        scored(tiny_cross_encoder, triplets(), tmp_path, splits=["test"])

"""What is exported comes back the same when it is imported."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from triplet_tables import Row, triplet, version_of

from hnm.context import Context
from hnm.dataset.export import Export, export
from hnm.dataset.formats._format import Options
from hnm.inputs import Inputs
from hnm.readers.triplets import TripletsParams, triplets


def as_tsv(text: str) -> str:
    """What a file without quotes can keep: what breaks lines, and all control characters, are spaces there."""
    return re.sub("[\x00-\x1f\x85\u2028\u2029]", " ", text)


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters, min_size=1, max_size=12).filter(lambda text: as_tsv(text).strip())
rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(3, 6), st.sampled_from(["hard", "random"])),
    min_size=1,
    max_size=12,
    unique=True,
)  # fmt: skip

WHOLE, PAIRWISE, QUERYWISE = ("parquet", "csv", "jsonl"), ("triplet", "n-tuple", "labeled-list", "msmarco"), (
    "flagembedding", "tevatron", "labeled-pair",
)  # fmt: skip


def read(folder: Path, table: str = "triplets") -> list[dict[str, Any]]:
    context = Context(stage="back", root=folder, workdir=folder)
    params = TripletsParams(path=str(folder), table=table)
    return pa.Table.from_batches(list(triplets(Inputs.of(), params, context))).to_pylist()


def there_and_back(given: list[Row], name: str) -> list[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        options = Options(negatives=1 if name == "n-tuple" else None)
        export(version_of(Path(folder), given), Path(folder) / "out", Export(name, options=options), "tests")
        return read(Path(folder) / "out")


def contents(found: list[Any]) -> set[tuple[str, ...]]:
    return {tuple(row[name] for name in ("query", "positive", "negative", "split")) for row in found}


@pytest.mark.parametrize("name", [*WHOLE, *PAIRWISE, *QUERYWISE])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows, st.lists(texts, min_size=10, max_size=10, unique_by=lambda text: as_tsv(text).strip()))
def test_triplets_come_back(name, found, words):
    exported = [
        triplet(
            f"q{query}", f"d{positive}", f"d{negative}", strategy,
            query=words[query] + "?", positive=words[3 + positive], negative=words[3 + negative],
            split="dev" if query == 2 else "train",
        )
        for query, positive, negative, strategy in found
    ]  # fmt: skip
    back = there_and_back(exported, name)
    wanted = contents(exported)
    if name in WHOLE:
        keys = ("query_id", "positive_id", "negative_id", "strategy", "selected_rank", "split")
        assert {tuple(row[key] for key in keys) for row in back} == {
            tuple(row[key] for key in keys) for row in exported
        }
    if name in QUERYWISE:  # every positive of a query goes with every negative of it
        wanted = {
            (query, positive, negative, split)
            for query, positive, _, split in wanted
            for other, _, negative, _ in wanted
            if other == query
        }
    if name == "msmarco":
        wanted = {(*map(as_tsv, row[:3]), row[3]) for row in wanted}
    if name == "n-tuple":
        assert contents(back) <= wanted
        assert {row[:2] for row in contents(back)} == {row[:2] for row in wanted}
    else:
        assert contents(back) == wanted

"""Random retrieval: uniform, repeatable, and stable when queries and documents come and go."""

import math
from collections import Counter
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hnm.context import Context, Settings
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.retrieval.candidates import SCHEMA
from hnm.transforms import retrieve_random as module
from hnm.transforms.retrieve_random import RandomParams, retrieve_random

HERE = Path()
IDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), unique=True)


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def draw(queries: list[str], documents: list[str], threads: int = 2, **params: object) -> pa.Table:
    inputs = Inputs.of(
        corpus=pa.table({"doc_id": pa.array(documents, pa.string())}),
        queries=pa.table({"query_id": pa.array(queries, pa.string())}),
    )
    context = Context("random", HERE, HERE, Settings(cores=threads))
    return pa.Table.from_batches(list(retrieve_random(inputs, RandomParams(**params), context)), SCHEMA)


def samples(candidates: pa.Table) -> dict[str, list[str]]:
    drawn: dict[str, list[str]] = {}
    for row in candidates.to_pylist():
        drawn.setdefault(row["query_id"], []).append(row["doc_id"])
        assert row["rank"] == len(drawn[row["query_id"]])
    return drawn


@settings(max_examples=50, deadline=None)
@given(IDS, IDS, st.integers(1, 8), st.data())
def test_only_documents_that_come_or_go_change_a_sample(
    queries: list[str], documents: list[str], per_query: int, data: st.DataObject
) -> None:
    """A sample is the best `per_query` by priorities of pairs: what stays keeps its order, what left is made up for."""
    before = samples(draw(queries, documents, per_query=per_query))
    assert set(before) == (set(queries) if documents else set())
    for sample in before.values():
        assert len(set(sample)) == len(sample) == min(per_query, len(documents))

    kept = [name for name in documents if data.draw(st.booleans())]
    after = samples(draw(queries, [*reversed(kept)], per_query=per_query))
    for query, sample in after.items():
        surviving = [name for name in before[query] if name in kept]
        assert sample[: len(surviving)] == surviving


def test_one_document_more_or_less_changes_few_samples() -> None:
    queries, documents = names("q", 400), names("d", 500)
    before = samples(draw(queries, documents))
    gone = samples(draw(queries, documents[1:]))
    assert {query for query in queries if gone[query] != before[query]} == {
        query for query in queries if "d0" in before[query]
    }
    changed = [query for query in queries if gone[query] != before[query]]
    assert 1 <= len(changed) <= 20  # 8 expected
    assert all(len(set(gone[query]) - set(before[query])) == 1 for query in changed)


def test_other_queries_change_no_sample() -> None:
    documents = names("d", 50)
    some, more = draw(names("q", 5), documents), draw(names("q", 40), documents)
    assert samples(some).items() <= samples(more).items()


def test_a_smaller_sample_is_the_beginning_of_a_larger_one() -> None:
    large, small = (samples(draw(names("q", 9), names("d", 60), per_query=n)) for n in (20, 5))
    assert small == {query: sample[:5] for query, sample in large.items()}


def test_row_order_and_threads_change_nothing_but_the_seed_does() -> None:
    queries, documents = names("q", 30), names("d", 70)
    plain = draw(queries, documents)
    assert plain.equals(draw(queries[::-1], documents[::-1], threads=1))
    assert not plain.equals(draw(queries, documents, seed=1))


def priority(query: str, document: str, seed: int) -> int:
    """The rule in plain integers. A change here would change everybody's random negatives."""

    def hashed(name: str, salt: str) -> int:
        return int.from_bytes(blake2b(f"{salt}\0{name}".encode(), digest_size=8).digest(), "little")

    bits = hashed(query, f"query {seed}") ^ hashed(document, "document")
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
    return (bits ^ bits >> 31) >> 33


def test_samples_follow_the_rule_over_several_blocks() -> None:
    documents = names("d", module.DOCUMENT_BLOCK + 50)
    for query, sample in samples(draw(["q", "é"], documents, seed=7)).items():
        expected = sorted((-priority(query, name, 7), name) for name in documents)[:10]
        assert sample == [name for _, name in expected]


def test_documents_and_ranks_are_uniform() -> None:
    queries, documents = names("q", 4000), names("d", 50)
    drawn = samples(draw(queries, documents, per_query=5))
    for counts, expected in (
        (Counter(name for sample in drawn.values() for name in sample), 400),
        (Counter(sample[0] for sample in drawn.values()), 80),
        (Counter(sample[4] for sample in drawn.values()), 80),
    ):
        statistic = sum((counts[name] - expected) ** 2 / expected for name in documents)
        assert statistic < 49 + 4 * math.sqrt(2 * 49)  # chi-square, 49 degrees of freedom: mean 49, variance 98


def test_samples_of_different_queries_are_independent() -> None:
    drawn = samples(draw(names("q", 300), names("d", 50), per_query=5))
    sets = [set(sample) for sample in drawn.values()]
    pairs = [len(left & right) for place, left in enumerate(sets) for right in sets[:place]]
    assert sum(pairs) / len(pairs) == pytest.approx(5 * 5 / 50, rel=0.05)


def test_scores_say_nothing() -> None:
    result = draw(["q"], names("d", 30))
    assert result["score"].to_pylist() == [0.0] * 10
    assert result["retriever"].to_pylist() == ["random"] * 10


@pytest.mark.parametrize(("queries", "documents"), [(0, 0), (0, 3), (3, 0), (1, 1), (2, 4)])
def test_few_or_no_rows(queries: int, documents: int) -> None:
    result = draw(names("q", queries), names("d", documents))
    assert result.num_rows == queries * documents
    assert result.schema == SCHEMA


def test_refuses_repeated_ids() -> None:
    with pytest.raises(StageError, match="'d' occurs more than once"):
        draw(["q"], ["d", "d"])


@pytest.mark.parametrize("params", [{"per_query": 0}, {"seed": "x"}, {"top_k": 3}])
def test_refuses_impossible_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RandomParams(**params)


def test_ids_may_be_numbers() -> None:
    corpus, queries = pa.table({"doc_id": [1, 2]}), pa.table({"query_id": [7]})
    context = Context("random", HERE, HERE)
    drawn = pa.Table.from_batches(retrieve_random(Inputs.of(corpus=corpus, queries=queries), RandomParams(), context))
    assert drawn["doc_id"].to_pylist() == draw(["7"], ["1", "2"])["doc_id"].to_pylist()

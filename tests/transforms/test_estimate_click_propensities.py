"""Estimated propensities: steps worked by hand, what simulated users do, and logs with little in them."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hnm.context import Context, SilentReporter
from hnm.inputs import Inputs
from hnm.transforms import _click_position_bias, _click_trust_bias
from hnm.transforms._click_counts import Counts
from hnm.transforms.estimate_click_propensities import EstimateClickPropensitiesParams, estimate_click_propensities
from hnm.transforms.simulate_clicks import SimulateClicksParams, simulate_clicks

SCHEMA = pa.schema(
    {
        "query_id": pa.string(),
        "doc_id": pa.string(),
        "position": pa.int32(),
        "impressions": pa.int64(),
        "clicks": pa.int64(),
    }
)
Row = tuple[str, str, int, int, int]


class Notes(SilentReporter):
    """Keeps what was noted."""

    def __init__(self) -> None:
        self.heard = ""

    def note(self, message: str) -> None:
        self.heard += message


def estimate(rows: list[Row] | pa.Table, **params: object) -> tuple[pl.DataFrame, Context, str]:
    """The result, what ran, and what it noted."""
    counts = rows
    if isinstance(rows, list):
        counts = pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA)
    notes = Notes()
    context = Context(stage="click_propensities", root=Path(), workdir=Path(), reporter=notes)
    given = EstimateClickPropensitiesParams(**params)
    batches = list(estimate_click_propensities(Inputs.of(counts=counts), given, context))
    assert batches
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(frame, pl.DataFrame)
    return frame, context, notes.heard


def counts(*rows: tuple[int, int, float, float]) -> Counts:
    """From rows of (pair, place, shown, clicked)."""
    columns = np.array(rows, dtype=float).T
    return Counts(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2], columns[3])


def test_a_step_for_position_bias_by_hand() -> None:
    # One pair, at place 0 once and clicked, at place 1 once and not. e = (1, 1/2), a = 1/2.
    # Of the unclicked one: looked at 1/2 * 1/2 / (1 - 1/4) = 1/3; attractive 1/2 * 1/2 / (3/4) = 1/3.
    # Prior of 1 click in 2: e = ((1 + 1) / 3, (1/3 + 1) / 3) = (2/3, 4/9), a = (1 + 1/3 + 1) / 4 = 7/12.
    # The highest e becomes 1: e = (1, 2/3), a = 7/12 * 2/3.
    state = _click_position_bias.State(np.array([1, 0.5]), np.array([0.5]))
    after = _click_position_bias.step(counts((0, 0, 1, 1), (0, 1, 1, 0)), state, (1, 1))
    assert after.examination == pytest.approx([1, 2 / 3])
    assert after.attractiveness == pytest.approx([7 / 18])


def test_a_step_for_trust_bias_by_hand() -> None:
    # Two pairs at one place, twice each: clicked twice, and not at all. p = 1/2, q = 1/4, half of them relevant.
    # Likelihoods of the first 1/4 and 1/16: relevant with 4/5. Of the second 1/4 and 9/16: with 4/13.
    log = counts((0, 0, 2, 2), (1, 0, 2, 0))
    state = _click_trust_bias.State(np.array([0.5]), np.array([0.25]), 0.5)
    assert _click_trust_bias.posterior(log, state) == pytest.approx([4 / 5, 4 / 13])
    after = _click_trust_bias.step(log, state, (1, 3))
    first, second = 4 / 5, 4 / 13
    assert after.relevant == pytest.approx([(2 * first + 1) / (2 * first + 2 * second + 4)])
    assert after.irrelevant == pytest.approx([(2 * (1 - first) + 1) / (4 - 2 * first - 2 * second + 4)])
    assert after.share == pytest.approx((first + second + 1) / 6)


def simulated(user: str, sessions: int = 40) -> pa.Table:
    """Counts of a log over 300 queries with one to three right answers each, ranked by relevance plus noise."""
    random = np.random.default_rng(3)
    grades = np.arange(20) < random.integers(1, 4, size=(300, 1))
    ranks = np.argsort(np.argsort(-(1.5 * grades + random.normal(size=grades.shape)), axis=1), axis=1) + 1
    pairs = {
        "query_id": np.repeat([f"q{i}" for i in range(300)], 20),
        "doc_id": np.tile([f"d{i}" for i in range(20)], 300),
    }
    inputs = Inputs.of(
        queries=pa.table({"query_id": [f"q{i}" for i in range(300)], "split": ["train"] * 300}),
        judgments=pa.table({**pairs, "grade": grades.ravel().astype(np.int32)}),
        ranking=pa.table({**pairs, "retriever": ["bm25"] * 6000, "rank": ranks.ravel().astype(np.int32)}),
    )
    params = SimulateClicksParams(user=user, sessions_per_query=sessions, explore=0.5)
    log = pa.Table.from_batches(simulate_clicks(inputs, params, Context("log", Path(), Path())))
    return Inputs.of(log=log).table(
        """select query_id, doc_id, position, count(*) as impressions, count(*) filter (clicked) as clicks
           from log group by all"""
    )


def test_position_bias_of_simulated_users_is_recovered() -> None:
    found, context, _ = estimate(simulated("pbm"))
    assert found["position"].to_list() == list(range(1, 11))
    assert found["examination"].to_numpy() == pytest.approx(1 / np.arange(1, 11), abs=0.08)
    assert found["examination"].equals(found["click_if_relevant"])
    assert found["click_if_irrelevant"].max() == 0
    assert context.facts["converged"] is True
    assert context.facts["pairs_at_several_positions"] > 1000


def test_trust_bias_of_simulated_users_is_recovered() -> None:
    found, *_ = estimate(simulated("trust_biased"), model="trust_bias")
    k = np.arange(1, 11)
    for name, wanted in (("click_if_relevant", 0.9), ("click_if_irrelevant", 0.1)):
        assert found[name].to_numpy() == pytest.approx((wanted + (1 - wanted) * 0.4 / k) / k, abs=0.05)
    assert found["examination"].to_numpy() == pytest.approx(
        found["click_if_relevant"] / found["click_if_relevant"].max()
    )


@pytest.mark.parametrize("model", ["position_bias", "trust_bias"])
@settings(max_examples=20, deadline=None)
@given(
    rows=st.dictionaries(
        st.tuples(st.sampled_from("ab"), st.sampled_from("uvwü"), st.sampled_from([1, 2, 3, 7])),
        st.tuples(st.integers(1, 20), st.floats(0, 1)),
        max_size=16,
    ),
    seed=st.integers(0, 99),
)
def test_probabilities_that_do_not_depend_on_the_order(model, rows, seed) -> None:
    table = [(*pair, shown, int(share * shown)) for pair, (shown, share) in rows.items()]
    found, *_ = estimate(table, model=model)
    assert found["position"].to_list() == sorted({row[2] for row in table})
    for name in ("examination", "click_if_relevant", "click_if_irrelevant"):
        assert found[name].is_between(0, 1).all()
    assert (found["click_if_relevant"] >= found["click_if_irrelevant"]).all()
    if table:
        assert found["examination"].max() == pytest.approx(1)
        assert found["impressions"].sum() == sum(row[3] for row in table)
    order = np.random.default_rng(seed).permutation(len(table))
    assert estimate([table[i] for i in order], model=model)[0].equals(found)


@pytest.mark.parametrize("model", ["position_bias", "trust_bias"])
@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("q", "d", 1, 1, 0)],
        [("q", "d", 1, 1, 1)],
        [("q", f"d{k}", k, 10, 0) for k in range(1, 6)],
        [("q", f"d{k}", k, 10, 10) for k in range(1, 6)],
    ],
    ids=["empty", "one, not clicked", "one, clicked", "no clicks", "all clicked"],
)
def test_logs_with_little_in_them(model: str, rows: list[Row]) -> None:
    found, _, notes = estimate(rows, model=model)
    assert found["position"].to_list() == [row[2] for row in rows]
    assert all(found[name].is_finite().all() for name in ("examination", "click_if_relevant", "click_if_irrelevant"))
    assert found["position"].dtype == pl.Int32
    assert ("two positions" in notes) == (len(rows) > 1)


def test_an_estimate_that_still_moves_is_noted() -> None:
    _, context, notes = estimate(simulated("pbm", sessions=5), iterations=3)
    assert context.facts["converged"] is False and context.facts["steps"] == 3
    assert "still moves after 3 steps" in notes


@pytest.mark.parametrize("wrong", [{"model": "cascade"}, {"prior_clicks": 0}, {"iterations": 0}, {"eta": 1}])
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EstimateClickPropensitiesParams.model_validate(wrong)

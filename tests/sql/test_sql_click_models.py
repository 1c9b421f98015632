"""Every click model against its formula in numpy, on random logs; what all promise; logs with little in them."""

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from doc_pages import blocks, missing, page, sections
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sql_stages import Stages

from hnm.project.templating import SHIPPED_MACROS, Templates

MODELS = sorted(path.stem.removeprefix("click_") for path in SHIPPED_MACROS.glob("click_*.sql"))
COLUMNS = (
    "expected_examinations",
    "examined_not_clicked",
    "effective_sample_size",
    "clipped_share",
    "attractiveness",
    "lower_bound",
)
Z = 1.96
PROPENSITIES = [(k, 0.9 / k**0.7, 0.3 / k**1.5) for k in range(1, 9)]  # position, if relevant, if irrelevant
Shown = tuple[str, str, str, int, bool]
"""session_id, query_id, doc_id, position, clicked"""
LOG = pa.schema(
    {
        "session_id": pa.string(),
        "query_id": pa.string(),
        "doc_id": pa.string(),
        "position": pa.int32(),
        "clicked": pa.bool_(),
    }
)
DATABASE = Stages()
DATABASE.give(
    "click_propensities",
    [(k, p / 0.9, p, q) for k, p, q in PROPENSITIES],
    "position integer, examination double, click_if_relevant double, click_if_irrelevant double",
)


def build(log: list[Shown], model: str, **variables: Any) -> dict[tuple[str, str], dict[str, float]]:
    """The evidence of each pair of a log, with the propensities above."""
    DATABASE.give("impressions")
    given = pa.Table.from_pylist([dict(zip(LOG.names, row, strict=True)) for row in log], schema=LOG)
    DATABASE.connection.register("given", given).execute("insert into impressions by name select * from given")
    rows = DATABASE.build("click_evidence", positives_from="clicks", click_model=model, **variables)
    return {(row["query_id"], row["doc_id"]): {name: row[name] for name in COLUMNS} for row in rows}


def wilson(k: float, n: float) -> float:
    if n <= 0:
        return 0
    p = k / n
    return max(
        0, (p + Z * Z / (2 * n) - Z * math.sqrt(max(0, p * (1 - p) / n) + Z * Z / (4 * n * n))) / (1 + Z * Z / n)
    )


def outcomes(log: list[Shown]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """By pair, of each impression: k, c (clicked), above and reached (of the last click), skip (something above it was
    not clicked), last (it is the last click)."""
    lists = defaultdict(list)
    for session, query, doc, position, clicked in log:
        lists[session, query].append((doc, position, clicked))
    found = defaultdict(list)
    for (_, query), shown in lists.items():
        last = max((k for _, k, c in shown if c), default=0)
        for doc, k, c in shown:
            skip = any(not other and place < k for _, place, other in shown)
            found[query, doc].append(
                {"k": k, "c": c, "above": k < last, "reached": k <= last, "skip": skip, "last": c and k == last}
            )
    return found


def oracle(model: str, shown: list[dict[str, Any]], estimated: bool, clip: float, eta: float) -> tuple[float, ...]:
    """The columns of one pair, from its impressions."""
    k = np.array([row["k"] for row in shown])
    c = np.array([row["c"] for row in shown], dtype=float)
    against = np.array([row["above"] and not row["c"] for row in shown])
    p, q = (np.array([PROPENSITIES[place - 1][i] for place in k]) for i in (1, 2))
    e = p / 0.9 if estimated or model in ("pbm_em", "trust_bias") else (1 / k) ** eta
    n, clicks = len(k), c.sum()
    if model in ("naive", "dbn", "skip_above"):
        e = np.ones(n)
    examined, passed_over = e.sum(), (e * against).sum()
    sure = wilson(clicks, clicks)
    match model:
        case "naive":
            return n, passed_over, clicks, 0, clicks / n, wilson(clicks, n)
        case "position_bias_corrected":
            trials = max(examined, clicks)
            return examined, passed_over, clicks, 0, clicks / trials, wilson(clicks, trials)
        case "ipw":
            w = 1 / np.maximum(e, clip)
            sample = (w @ c) ** 2 / (w**2 @ c) if clicks else 0
            estimate = min(1, w @ c / n)
            rate = wilson(sample, n * sample / clicks) if clicks else 0
            bound = min(estimate, w @ c / clicks * rate, wilson(sample, sample)) if clicks else 0
            return examined, passed_over, sample, (e < clip).mean(), estimate, bound
        case "pbm_em":
            a = 0.5
            for _ in range(20_000):
                a = (0.2 + clicks + ((1 - c) * a * (1 - e) / (1 - e * a)).sum()) / (1 + n)
            return examined, passed_over, clicks, 0, a, min(a, n / examined * wilson(clicks, n), sure)
        case "trust_bias":
            estimate = min(1, max(0, ((p - q) * (c - q) / (p - q)).sum() / (p - q).sum()))
            bound = max(0, (n * wilson(clicks, n) - q.sum()) / (p - q).sum())
            return examined, passed_over, clicks, 0, estimate, min(estimate, bound, sure)
        case "dbn":
            looks, last = (sum(row[name] for row in shown) for name in ("reached", "last"))
            return looks, passed_over, last, 0, last / looks if looks else 0, wilson(last, looks)
        case "skip_above":
            won, lost = sum(row["c"] and row["skip"] for row in shown), against.sum()
            looks = sum(row["reached"] for row in shown)
            return looks, passed_over, won, 0, won / (won + lost) if won + lost else 0, wilson(won, won + lost)
    raise AssertionError(f"no oracle for {model}")


def random_log(seed: int, sessions: int = 60) -> list[Shown]:
    """Lists of up to eight of ten documents for two queries, clicked anywhere."""
    random = np.random.default_rng(seed)
    log: list[Shown] = []
    for session in range(sessions):
        query = f"q{random.integers(2)}"
        for k, doc in enumerate(random.permutation(10)[: random.integers(1, 9)]):
            log.append(
                (f"s{session}", query, f"d{doc}", k + 1, bool(random.random() < 0.6 / (k + 1) + 0.1 * (doc < 3)))
            )
    return log


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "variables", [{}, {"click_eta": 0.5, "propensity_clip": 0.4}, {"click_examination": "estimated"}], ids=str
)
def test_each_model_is_its_formula(model: str, variables: dict[str, Any]) -> None:
    log = random_log(1)
    found = build(log, model, **variables)
    expected = outcomes(log)
    assert found.keys() == expected.keys()
    estimated = variables.get("click_examination") == "estimated"
    clip, eta = variables.get("propensity_clip", 0.1), variables.get("click_eta", 1.0)
    for pair, shown in expected.items():
        wanted = dict(zip(COLUMNS, oracle(model, shown, estimated, clip, eta), strict=True))
        assert found[pair] == pytest.approx(wanted, abs=1e-6), pair


shown_lists = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.lists(st.tuples(st.sampled_from("uvwxyz"), st.booleans()), min_size=1, max_size=8)
    ),
    min_size=1,
    max_size=8,
)


def as_log(lists: list[tuple[str, list[tuple[str, bool]]]]) -> list[Shown]:
    return [
        (f"s{session}", query, doc, k, clicked)
        for session, (query, shown) in enumerate(lists)
        for k, (doc, clicked) in enumerate(shown, 1)
    ]


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=12, deadline=None)
@given(lists=shown_lists, seed=st.integers(0, 99))
@example(lists=[("a", [("u", False)])], seed=0)
@example(lists=[("a", [("u", True)])], seed=0)
@example(lists=[("a", [("u", True), ("u", True), ("u", False)])], seed=0)
def test_what_every_model_promises(model: str, lists: list[tuple[str, list[tuple[str, bool]]]], seed: int) -> None:
    log = as_log(lists)
    found = build(log, model)
    for pair, row in found.items():
        assert 0 <= row["lower_bound"] <= row["attractiveness"] + 1e-9 <= 1 + 2e-9
        assert 0 <= row["clipped_share"] <= 1
        assert row["examined_not_clicked"] >= 0
        if not any(clicked for _, query, doc, _, clicked in log if (query, doc) == pair):
            assert row["lower_bound"] == row["effective_sample_size"] == 0
    random = np.random.default_rng(seed)
    assert build([log[i] for i in random.permutation(len(log))], model) == found
    # Rows of a query depend on that query's rows alone: so the stage may be incremental by query.
    alone = build([row for row in log if row[1] == "a"], model)
    assert alone == {pair: row for pair, row in found.items() if pair[0] == "a"}


@settings(max_examples=12, deadline=None)
@given(lists=shown_lists)
def test_without_bias_and_clipping_the_models_of_bias_are_the_click_rate(
    lists: list[tuple[str, list[tuple[str, bool]]]],
) -> None:
    log = as_log(lists)
    naive = build(log, "naive")
    for model in ("ipw", "position_bias_corrected"):
        found = build(log, model, click_eta=0, propensity_clip=0)
        for pair, row in naive.items():
            assert found[pair] == pytest.approx(row, abs=1e-9), model


def test_clipping_makes_clicks_count_too_little() -> None:
    log = [("s1", "q", "d", 8, True), *[(f"t{i}", "q", "d", 8, False) for i in range(39)]]
    plain = build(log, "ipw", propensity_clip=0)["q", "d"]
    clipped = build(log, "ipw", propensity_clip=0.25)["q", "d"]
    assert (plain["attractiveness"], plain["clipped_share"]) == (pytest.approx(8 / 40), 0)
    assert (clipped["attractiveness"], clipped["clipped_share"]) == (pytest.approx(4 / 40), 1)


def test_few_clicks_of_great_weight_are_worth_few() -> None:
    log = [("s1", "q", "d", 8, True), *[(f"t{i}", "q", "d", 1, i < 2) for i in range(10)]]
    row = build(log, "ipw", propensity_clip=0)["q", "d"]
    assert row["effective_sample_size"] == pytest.approx((8 + 2) ** 2 / (64 + 2))
    # One click where hardly anybody looks is no certainty.
    alone = build([("s1", "q", "d", 8, True)], "ipw", propensity_clip=0)["q", "d"]
    assert alone["attractiveness"] == 1
    assert alone["lower_bound"] == pytest.approx(wilson(1, 1))


def test_satisfied_and_preferred_by_hand() -> None:
    log = [
        ("s1", "q", "a", 1, True),
        ("s1", "q", "b", 2, False),
        ("s1", "q", "c", 3, True),
        ("s1", "q", "d", 4, False),
        ("s2", "q", "a", 1, True),
        ("s2", "q", "b", 2, False),
    ]
    satisfied = {doc: row["attractiveness"] for (_, doc), row in build(log, "dbn").items()}
    assert satisfied == {"a": 1 / 2, "b": 0, "c": 1, "d": 0}
    preferred = {doc: row["attractiveness"] for (_, doc), row in build(log, "skip_above").items()}
    assert preferred == {"a": 0, "b": 0, "c": 1, "d": 0}


@pytest.mark.parametrize("model", MODELS)
def test_logs_with_little_in_them(model: str) -> None:
    assert build([], model) == {}
    unclicked = build([("s", "q", f"d{k}", k, False) for k in range(1, 5)], model)
    assert {row["lower_bound"] for row in unclicked.values()} == {0}
    assert all(row["attractiveness"] < 0.2 for row in unclicked.values())
    ((_, never_seen),) = build([("s", "q", "d", 1_000, False)], "position_bias_corrected", click_eta=5.0).items()
    assert never_seen["attractiveness"] == never_seen["lower_bound"] == 0


@pytest.mark.parametrize("model", ["pbm_em", "trust_bias"])
def test_a_position_without_propensity_takes_the_next_one_above(model: str) -> None:
    deep, deepest_known = (build([("s", "q", "d", k, True), ("t", "q", "d", k, False)], model) for k in (12, 8))
    assert deep == deepest_known
    with pytest.raises(Exception, match="click_propensities has no position at or above 0"):
        build([("s", "q", "d", 0, True)], model)


def test_clicks_by_position_by_hand() -> None:
    DATABASE.give(
        "impressions",
        [("s1", "q", "a", 1, False), ("s1", "q", "b", 2, True), ("s2", "q", "a", 1, True), ("s2", "q", "b", 2, False)],
    )
    names = ("doc_id", "position", "impressions", "clicks", "passed_over", "reached", "last_clicks", "preferred")
    rows = DATABASE.build("click_counts")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("a", 1, 2, 1, 1, 2, 1, 0),
        ("b", 2, 2, 1, 0, 1, 1, 1),
    ]


def test_the_page_describes_every_model() -> None:
    assert missing(MODELS, " ".join(f"`{title.strip('`')}`" for title in sections(page("clicks.md")))) == []


def test_the_model_that_the_page_adds_works(tmp_path: Path) -> None:
    (macro,) = blocks(page("clicks.md"), "sql")
    (tmp_path / "click_final.sql").write_text(macro, encoding="utf-8")
    database = Stages()
    database.templates = Templates((tmp_path,))
    database.give("impressions", [("s1", "q", "d", 1, True), ("s2", "q", "d", 1, True), ("s2", "q", "e", 2, True)])
    rows = database.build("click_evidence", positives_from="clicks", click_model="final")
    assert [(row["doc_id"], row["attractiveness"]) for row in rows] == [("d", 0.5), ("e", 1)]

"""Strategies made of others, the cap on hubs, and what no strategy may break: seeds, ties, odd collections."""

from collections import Counter
from typing import Any

import pytest
from mined import candidate, kept, mine, reasons
from sql_stages import SQL, Row, Stages, select

from hnm.project.templating import Rendering

TOP = {"name": "top", "rule": "top", "per_positive": 2}
RANDOM = {"name": "random", "rule": "random", "per_positive": 1}
EVERY_RULE: list[dict[str, Any]] = [
    {"name": "paper", "rule": "dual_criterion", "per_positive": 2},
    {"name": "one", "rule": "condition_1"},
    {"name": "two", "rule": "condition_2"},
    {"name": "margin", "rule": "below_positive_margin"},
    {"name": "share", "rule": "below_positive_share", "fills": "paper"},
    {"name": "top", "rule": "top", "by": "rrf", "per_positive": 3},
    {"name": "window", "rule": "shifted_window", "from": 1, "to": 9},
    {"name": "sample", "rule": "sampled_top", "per_positive": 3},
    {"name": "above", "rule": "above_score", "threshold": -0.25},
    {"name": "below", "rule": "below_score", "threshold": 0.25},
    {"name": "percentile", "rule": "below_percentile", "percentile": 50, "per_positive": 3},
    {"name": "simans", "rule": "simans", "per_positive": 3},
    {"name": "tri", "rule": "trisampler", "degrees": 180, "per_positive": 3},
    {"name": "mmr", "rule": "mmr", "per_positive": 3},
    {"name": "clusters", "rule": "clustered_top", "per_positive": 3},
    {"name": "random", "rule": "random", "per_positive": 2},
    {"name": "batch", "rule": "in_batch", "per_positive": 2},
    {"name": "mixed", "rule": "mix", "mixes": {"paper": 1, "sample": 2, "random": 1}},
    {"name": "last", "rule": "top", "fills": ["mixed"]},
]


def mine_everything(stages: Stages, candidates: list[tuple[Any, ...]], *more: dict[str, Any]) -> list[Row]:
    """Every rule, over documents in the plane; the positives of all queries are d0 to d4."""
    names = sorted({row[2] for row in candidates}) or ["d0"]
    stages.give_vectors({name: [float(len(name)), float(hash_of(name))] for name in names}, {})
    stages.give("positives", [(f"q{i}", f"d{i}", 1, 1.0, "train") for i in range(5)])
    return mine(stages, candidates, *EVERY_RULE, *more)


def hash_of(name: str) -> int:
    return sum(map(ord, name)) % 7 - 3


def some_candidates(query: str, positives: tuple[str, ...] = ("p",), documents: int = 12) -> list[tuple[Any, ...]]:
    return [
        candidate(
            f"d{i}",
            d_query_doc=(i * 7 + len(query) + hash_of(query) + 3) % 17 / 8,
            d_positive_doc=(i * 5 + j) % 13 / 8,
            pair=(query, positive),
            rank_bm25=i + 1 if i % 4 else None,
            rank_random=i + 1 if i % 3 == 0 else None,
            known=i == 5,
        )
        for i in range(documents)
        for j, positive in enumerate(positives)
    ]


def of_query(rows: list[Row], query: str) -> list[Row]:
    return [row for row in rows if row["query_id"] == query]


# Mix


def test_mix_takes_its_share_of_each(stages: Stages) -> None:
    rows = [
        candidate("a", 0.1, rank_random=1),
        candidate("b", 0.2),
        candidate("c", 0.3, rank_random=2),
        candidate("d", 0.4, rank_bm25=None, rank_random=3),
        candidate("e", 0.5, rank_bm25=None, rank_random=4),
    ]
    mixed = {"name": "mixed", "rule": "mix", "mixes": {"top": 1, "random": 2}}
    found = [row for row in mine(stages, rows, TOP, RANDOM, mixed) if row["strategy"] == "mixed"]
    # a comes by top, so random gives its second and third; b passed in top and e in random, beyond their shares.
    assert kept(found) == [("mixed", "a"), ("mixed", "c"), ("mixed", "d")]
    assert reasons(found) == {"a": None, "b": "beyond_mix", "c": None, "d": None, "e": "beyond_mix"}


def test_no_part_makes_up_for_another(stages: Stages) -> None:
    rows = [candidate("a", 0.1), candidate("b", 0.2), candidate("c", 0.3), candidate("d", 0.9, rank_random=1)]
    mixed = {"name": "mixed", "rule": "mix", "mixes": {"random": 3, "top": 2}}
    found = mine(stages, rows, TOP, RANDOM, mixed)
    assert [name for strategy, name in kept(found) if strategy == "mixed"] == ["d", "a", "b"]


def test_mix_of_a_chain_and_a_chain_on_a_mix(stages: Stages) -> None:
    paper = {"name": "paper", "rule": "dual_criterion"}
    fill = {"name": "fill", "rule": "top", "fills": "paper"}
    mixed = {"name": "mixed", "rule": "mix", "mixes": {"paper": 1, "fill": 1, "random": 1}}
    last = {"name": "last", "rule": "top", "fills": "mixed"}
    rows = [
        candidate("hard", 0.25, pair=("q1", "p")),
        candidate("easy", 0.75, pair=("q1", "p")),
        candidate("easy", 0.75, pair=("q2", "p")),
        candidate("drawn", 0.75, pair=("q2", "p"), rank_bm25=None, rank_random=1),
    ]
    found = mine(stages, rows, paper, fill, RANDOM, mixed, last)
    assert kept(of_query(found, "q1")) == [("mixed", "hard"), ("paper", "hard")]
    assert kept(of_query(found, "q2")) == [("fill", "easy"), ("mixed", "easy"), ("mixed", "drawn"), ("random", "drawn")]


# The cap on hubs


def test_no_document_is_used_more_often_than_the_cap(stages: Stages) -> None:
    # hub comes first for every query, and q0 to q9 have one other document each; so they share it, three at most.
    rows = [candidate("hub", 0.125, pair=(f"q{i}", "p")) for i in range(10)]
    rows += [candidate(f"own{i}", 0.25, pair=(f"q{i}", "p")) for i in range(10)]
    found = mine(stages, rows, {"name": "top", "rule": "top", "max_uses": 3})
    uses = Counter(name for _, name in kept(found))
    assert uses["hub"] == 3
    assert len(kept(found)) == 10
    capped = [row for row in found if row["exclusion_reason"] == "beyond_max_uses"]
    assert select(capped, "doc_id", "exclusion_step", "selected_rank") == [("hub", 3, None)] * 7


def test_a_document_is_kept_where_it_comes_first(stages: Stages) -> None:
    rows = [candidate("hub", 0.5, pair=("q1", "p")), candidate("better", 0.25, pair=("q1", "p"))]
    rows += [candidate("hub", 0.5, pair=("q2", "p"))]
    found = mine(stages, rows, {"name": "top", "rule": "top", "max_uses": 1, "per_positive": 2})
    assert reasons(of_query(found, "q1")) == {"better": None, "hub": "beyond_max_uses"}
    assert reasons(of_query(found, "q2")) == {"hub": None}


def test_only_a_cap_makes_the_stage_look_across_queries(stages: Stages) -> None:
    def configured(strategy: dict[str, Any]) -> dict[str, Any]:
        rendering = Rendering("negatives", {"retrievers": [], "strategies": [strategy]})
        stages.templates.render_sql((SQL / "negatives.sql").read_text(), SQL / "negatives.sql", rendering)
        return rendering.config

    assert configured(TOP) == {}
    assert configured({**TOP, "max_uses": 1}) == {"incremental": None}


# What holds for all rules


def test_adding_queries_changes_no_other_querys_negatives(stages: Stages) -> None:
    positives = ("p", "r")
    before = mine_everything(stages, some_candidates("q1", positives))
    others = [row for i in range(2, 9) for row in some_candidates(f"q{i}", positives)]
    assert of_query(mine_everything(stages, [*others, *some_candidates("q1", positives)]), "q1") == before


def test_neither_order_nor_threads_change_anything(stages: Stages) -> None:
    rows = [row for i in range(9) for row in some_candidates(f"q{i}", ("p", "r"))]
    capped = {"name": "capped", "rule": "simans", "max_uses": 3, "per_positive": 2}
    found = mine_everything(stages, rows, capped)
    assert any(row["exclusion_reason"] == "beyond_max_uses" for row in found)
    stages.connection.execute("set threads = 1")
    assert mine_everything(stages, rows[::-1], capped) == found


def test_every_candidate_has_one_outcome_by_every_strategy_that_considers_it(stages: Stages) -> None:
    rows = [row for i in range(4) for row in some_candidates(f"q{i}", ("p", "r"))]
    found = mine_everything(stages, rows)
    keys = select(found, "query_id", "positive_id", "doc_id", "strategy")
    assert len(set(keys)) == len(keys)
    for row in found:
        assert (row["exclusion_reason"] is None) == (row["exclusion_step"] is None)
        assert row["exclusion_reason"] is not None or row["selected_rank"]
        assert row["doc_id"] != "d5" or row["exclusion_reason"] is not None
    retrieved = {row[:3] for row in rows if row[6] is not None}
    for rule in (
        "paper",
        "one",
        "two",
        "margin",
        "share",
        "top",
        "window",
        "sample",
        "above",
        "percentile",
        "mmr",
        "clusters",
    ):
        assert {key[:3] for key in keys if key[3] == rule} == retrieved, rule
    most = {strategy["name"]: strategy.get("per_positive", 1) for strategy in EVERY_RULE} | {"mixed": 4}
    counts = Counter(
        (row["strategy"], row["query_id"], row["positive_id"]) for row in found if not row["exclusion_reason"]
    )
    assert all(count <= most[strategy] for (strategy, *_), count in counts.items())
    assert {strategy for strategy, *_ in counts} >= {"paper", "sample", "simans", "tri", "mmr", "batch", "mixed"}


def test_no_candidates_give_no_rows(stages: Stages) -> None:
    assert mine_everything(stages, [], {"name": "capped", "rule": "top", "max_uses": 1}) == []


def test_query_without_candidates_beside_one_that_has_some(stages: Stages) -> None:
    # Its pair has no row in scored_candidates, and nothing else changes.
    found = mine_everything(stages, some_candidates("q1"))
    assert {row["query_id"] for row in found} == {"q1"}


@pytest.mark.parametrize("d_query_doc", [0.5, 1.0, 2.0])
def test_equal_scores(stages: Stages, d_query_doc: float) -> None:
    rows = [candidate(f"d{i}", d_query_doc, d_query_doc, d_query_doc) for i in range(9)]
    found = mine_everything(stages, rows)
    firsts = [("top", "d0"), ("top", "d1"), ("top", "d2"), ("window", "d1")]
    assert [row for row in kept(found) if row[0] in ("top", "window")] == firsts
    assert {strategy for strategy, _ in kept(found)}.isdisjoint({"paper", "one", "two", "margin", "tri"})
    assert len([row for row in kept(found) if row[0] == "percentile"]) == 3  # nothing lies above the median
    assert len([row for row in kept(found) if row[0] == "simans"]) == 3


def test_negative_scores_and_zero_vectors(stages: Stages) -> None:
    # A zero vector is at distance 1 of everything, the positive opposite the query at 2.
    rows = [candidate(f"d{i}", 1.0 + i / 16, 1.0, 2.0) for i in range(9)]
    stages.give_vectors({f"d{i}": [0.0, 0.0] for i in range(9)}, {})
    mmr = {"name": "mmr", "rule": "mmr", "per_positive": 3}
    simans = {"name": "simans", "rule": "simans", "a": 1e5}
    found = mine(stages, rows, mmr, simans, {"name": "above", "rule": "above_score", "threshold": -0.25})
    assert kept(found) == [("above", "d0"), ("mmr", "d0"), ("mmr", "d1"), ("mmr", "d2"), ("simans", "d8")]
    assert reasons([row for row in found if row["strategy"] == "above"])["d8"] == "below_threshold"


def test_500_positives_of_one_query(stages: Stages) -> None:
    documents = {f"d{i}": [1.0, i / 1000] for i in range(520)}
    stages.give_texts({name: name for name in documents}, {"q": "q"})
    stages.give_vectors(documents, {"q": [1.0, 0.0]})
    stages.give("positives", [("q", f"d{i}", i + 1, 1.0, "train") for i in range(500)])
    stages.give("candidates", [("q", name, "bm25", i + 1, 1.0) for i, name in enumerate(documents)])
    stages.build("scored_candidates")
    found = stages.build(
        "negatives", strategies=[{"name": "w", "rule": "shifted_window", "from": 1, "to": 20, "per_positive": 2}]
    )
    # Four pairs are mined, all 500 positives are protected and take no rank: the window begins at the second other one.
    assert Counter(row["exclusion_reason"] for row in found) == {
        "known_positive": 4 * 500,
        "before_window": 4,
        None: 4 * 2,
        "beyond_per_positive": 4 * 17,
    }
    assert {row["doc_id"] for row in found if not row["exclusion_reason"]} == {"d501", "d502"}


def test_positive_outside_every_list(stages: Stages) -> None:
    documents = {"far": [-1.0, 0.0], "a": [1.0, 0.0], "b": [0.8, 0.6]}
    stages.give_texts({name: name for name in documents}, {"q": "q"})
    stages.give_vectors(documents, {"q": [1.0, 0.0]})
    stages.give("positives", [("q", "far", 1, 1.0, "train")])
    stages.give("candidates", [("q", "a", "bm25", 1, 2.0), ("q", "b", "bm25", 2, 1.0)])
    stages.build("scored_candidates")
    found = stages.build("negatives", strategies=EVERY_RULE)
    outcome = {(row["strategy"], row["doc_id"]): row["exclusion_reason"] for row in found}
    assert outcome["paper", "a"] is outcome["paper", "b"] is None
    assert outcome["margin", "a"] == "within_margin_of_positive"
    assert outcome["share", "a"] == "above_share_of_positive"
    assert ("batch", "a") not in outcome


def test_retrievers_that_never_agree(stages: Stages) -> None:
    stages.give_texts({"p": "p", **{f"d{i}": f"d{i}" for i in range(8)}}, {"q": "q"})
    stages.give_vectors({"p": [0.0, 1.0], **{f"d{i}": [1.0, i / 8] for i in range(8)}}, {"q": [1.0, 0.0]})
    stages.give("positives", [("q", "p", 1, 1.0, "train")])
    lists = [("q", f"d{i}", ("bm25", "minilm")[i % 2], i // 2 + 1, 1 - i / 8) for i in range(8)]
    stages.give("candidates", lists)
    stages.build("scored_candidates")
    by = [{"name": name, "rule": "shifted_window", "by": f"score_{name}", "from": 1} for name in ("bm25", "minilm")]
    found = stages.build(
        "negatives", strategies=[*by, {"name": "both", "rule": "mix", "mixes": {"bm25": 1, "minilm": 1}}]
    )
    assert kept(found) == [("bm25", "d2"), ("both", "d2"), ("both", "d3"), ("minilm", "d3")]
    assert len([row for row in found if row["strategy"] == "bm25"]) == 4


def test_a_document_that_is_positive_for_many_queries(stages: Stages) -> None:
    stages.give("positives", [(f"q{i}", "faq", 1, 1.0, "train") for i in range(200)])
    rows = [candidate("faq", 0.1, pair=(f"q{i}", "faq"), rank_random=1, known=True) for i in range(200)]
    rows += [candidate("faq", 0.1, pair=("odd", "p"), rank_random=1), candidate("new", 0.2, pair=("odd", "p"))]
    batch = {"name": "batch", "rule": "in_batch"}
    found = mine(stages, rows, batch, {"name": "top", "rule": "top", "max_uses": 1})
    assert kept(found) == [("batch", "faq"), ("top", "faq")]
    assert Counter(row["exclusion_reason"] for row in found)["known_positive"] == 400

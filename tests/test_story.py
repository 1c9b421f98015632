"""The closing summary: home and away side by side, and a red word where a model loses away."""

import json
from typing import Any

import pytest
from tiny_project import TinyProject

from hnm.story import tell

COLUMNS = "model, split, measure, queries, value, baseline, difference, p_value, p_holm"
HOME: list[tuple[str, float, str | None, float | None]] = [
    ("bm25", 0.4, None, None),
    ("start", 0.6, None, None),
    ("hard", 0.7, None, None),
    ("hard", 0.7, "start", 0.1),
    ("hard", 0.7, "bm25", 0.3),
    ("start", 0.6, "bm25", 0.2),
]


def rows_of(rows: list[tuple[str, float, str | None, float | None]], split: str, p_value: float) -> str:
    """SQL of a table of evaluations, every measure with the same values."""
    listed = [
        f"('{model}', '{split}', '{measure}', 10, {value}, "
        + (f"'{baseline}', {difference}, {p_value}, {p_value})" if baseline else "null, null, null, null)")
        for measure in ("RR@3", "RR@10", "nDCG@10", "R@10")
        for model, value, baseline, difference in rows
    ]
    numbers = ", ".join(f"{name}::double as {name}" for name in ("value", "difference", "p_value", "p_holm"))
    return f"select * replace ({numbers}) from (values {', '.join(listed)}) as v ({COLUMNS})\n"


def away(difference: float, p_value: float = 0.01) -> str:
    value = 0.5 + difference
    rows: list[Any] = [("bm25", 0.3, None, None), ("start", 0.5, None, None), ("hard", value, None, None)]
    tests = [("hard", value, "start", difference), ("hard", value, "bm25", value - 0.3)]
    return rows_of(rows + tests, "away", p_value)


@pytest.fixture
def told(tiny: TinyProject) -> Any:
    """`told(away_sql)`: a project with evaluations, built."""

    def build(away_sql: str | None) -> TinyProject:
        sql = {"evaluations": rows_of(HOME, "test", 0.01)}
        if away_sql:
            sql["away_evaluations"] = away_sql
        tiny.stages(f"stages: [{', '.join(f'{{name: {name}}}' for name in sql)}]\n", **sql)
        assert tiny.run().ok
        return tiny

    return build


def by_title(tiny: TinyProject) -> dict[str, Any]:
    return {part.title: part for part in tell(tiny.load())}


def test_home_and_away_stand_side_by_side(told: Any) -> None:
    parts = by_title(told(away(+0.02)))
    systems, tests = parts.values()
    assert systems.columns[-2:] == ("away RR@10", "away nDCG@10")
    assert [(row[0], row[3], row[-1]) for row in systems.rows] == [
        ("bm25", 0.4, 0.3),
        ("start", 0.6, 0.5),
        ("hard", 0.7, 0.52),
    ]
    assert [(row[0], row[1], row[2], row[4]) for row in tests.rows] == [
        ("hard", "bm25", 0.3, pytest.approx(0.22)),
        ("hard", "start", 0.1, 0.02),
    ]


def test_without_an_away_side_home_stands_alone(told: Any) -> None:
    systems, tests = by_title(told(None)).values()
    assert systems.columns == ("model", "queries", "RR@3", "RR@10", "nDCG@10", "R@10")
    assert tests.columns == ("model", "baseline", "difference", "p_holm")


def test_an_away_side_that_was_switched_off_is_not_told(told: Any) -> None:
    tiny = told(away(-0.02))
    tiny.stages("stages: [{name: evaluations}]")
    assert not any("away" in title for title in by_title(tiny))


@pytest.mark.parametrize(("p_value", "verdict"), [(0.01, "a loss"), (0.3, "may be chance")])
def test_a_model_that_loses_away_is_told_with_what_to_do(told: Any, p_value: float, verdict: str) -> None:
    *_, alarm = by_title(told(away(-0.02, p_value))).values()
    assert alarm.alarm is not None and "docs/training.md" in alarm.alarm
    ((model, start, trained, difference, p, said),) = alarm.rows
    assert (model, said, p) == ("hard", verdict, p_value)
    assert (start, trained, difference) == pytest.approx((0.5, 0.48, -0.02))


def test_the_summary_is_red_where_a_model_loses_and_fits_80_columns(told: Any) -> None:
    tiny = told(away(-0.02))
    plain = tiny.hnm("summary").stderr
    assert "may be chance" not in plain and "a loss" in plain and "what to do: lower learning_rate" in plain
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= 80
    colored = tiny.hnm("summary", env={"FORCE_COLOR": "1"}).stderr
    assert "\x1b[1;31mWorse away" in colored or "\x1b[31m" in colored
    assert "\x1b[31m" not in told(away(+0.02)).hnm("summary", env={"FORCE_COLOR": "1"}).stderr


def test_names_stay_whole_in_80_columns(tiny: TinyProject) -> None:
    sql = {"evaluations": rows_of(HOME, "test", 0.01), "away_evaluations": away(+0.02)}
    named = {stage: rows.replace("'hard'", "'hard_interpolated'") for stage, rows in sql.items()}
    tiny.stages("stages: [{name: evaluations}, {name: away_evaluations}]\n", **named)
    assert tiny.run().ok
    plain = tiny.hnm("summary").stderr
    assert "hard_interpolated" in plain and "…" not in plain
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= 80


def test_the_summary_says_what_is_not_up_to_date(told: Any) -> None:
    tiny = told(away(+0.02))
    assert "not up to date" not in tiny.hnm("summary").stderr
    tiny.write("sql/away_evaluations.sql", away(+0.03))
    assert "note: not up to date: away_evaluations; `hnm plan` says why" in tiny.hnm("summary").stderr
    last = tiny.hnm("run", "--select", "evaluations", "--full-refresh").stderr
    assert "note: not up to date: away_evaluations;" in last


def test_the_summary_as_json(told: Any) -> None:
    parts = json.loads(told(away(-0.02)).hnm("summary", "--json").stdout)
    assert [part["alarm"] is not None for part in parts] == [False, False, True]
    assert parts[0]["rows"][0][0] == "bm25"


RAG = """
    select model, 'test' as split, top, 2000 as token_budget, 100::bigint as queries,
        least(base + top / 20, 1.0)::double as supported, top::double as documents, (301.4 * top)::double as tokens
    from (values ('bm25', 0.3), ('hard_interpolated', 0.5)) as v (model, base), (values (1), (3), (5)) as t (top)
"""


def test_rag_support_before_and_after_reranking_in_a_short_block(tiny: TinyProject) -> None:
    tiny.stages("stages: [{name: rag_support}]\n", rag_support=RAG)
    assert tiny.run().ok
    (part,) = tell(tiny.load())
    assert part.title == "RAG: a right answer among the first documents that fit the token budget"
    assert part.columns == ("model", "queries", "top 1", "top 3", "top 5", "tokens of top 5", "token budget")
    assert part.rows == [
        ("bm25", 100, pytest.approx(0.35), pytest.approx(0.45), pytest.approx(0.55), 1507, 2000),
        ("hard_interpolated", 100, pytest.approx(0.55), pytest.approx(0.65), pytest.approx(0.75), 1507, 2000),
    ]
    (told,) = json.loads(tiny.hnm("summary", "--json").stdout)
    assert told["columns"] == list(part.columns)
    for columns in (80, 120):
        shown = tiny.hnm("summary", env={"COLUMNS": str(columns)}).stderr.splitlines()
        assert max(len(line.rstrip()) for line in shown) <= columns
        assert any(line.split() == ["bm25", "100", "0.350", "0.450", "0.550", "1,507", "2,000"] for line in shown)


def test_the_summary_of_what_is_not_built_says_so(tiny: TinyProject) -> None:
    assert "nothing is built yet: hnm run" in tiny.hnm("summary").stderr

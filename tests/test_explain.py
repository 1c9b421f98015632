"""One query's story, from tables written by hand: see mined_project for the distances."""

from dataclasses import asdict
from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mined_project import HOSTILE, shared
from tiny_project import TinyProject

from hnm import Project
from hnm.errors import HnmError, QueryError, SelectorError, WarehouseError
from hnm.explain import explain, find_queries
from hnm.explained import Match, Outcome, Place, Removal, Triplet


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return shared(tmp_path_factory).load()


@pytest.fixture
def changed(tmp_path_factory, tmp_path):
    """A copy of it, to change and run again."""
    return TinyProject(Path(copytree(shared(tmp_path_factory).root, tmp_path / "mined")))


def outcomes(candidate):
    return {outcome.strategy: outcome.exclusion_reason for outcome in candidate.outcomes}


# Positives and candidates


def test_a_positive_with_its_evidence(project):
    first, second, third = project.explain("q").positives
    assert [positive.document.doc_id for positive in (first, second, third)] == ["p", "p2", "p3"]
    assert (first.weight, first.origin, first.positive_rank) == (0.6, "clicks:by hand", 1)
    assert first.evidence == {"clicks": 7, "clicked_sessions": 5, "lower_bound": 0.6}
    assert (first.document.grade, second.document.grade) == (2, None)
    assert first.document.found == {"bm25": Place(1, 9.0)}
    assert first.document.excerpt == "one two"
    assert first.d_query_positive == pytest.approx(0.4)
    assert second.document.found == {}


def test_candidates_are_nearest_first_with_every_retriever_and_distance(project):
    story = project.explain("q")
    first = story.positives[0]
    assert story.retrievers == ("bm25", "minilm", "random")
    assert first.pool == 5
    assert [candidate.document.doc_id for candidate in first.candidates] == ["a", "b", "p", "c", "r"]
    a = first.candidates[0]
    assert a.document.found == {"bm25": Place(2, 8.0), "minilm": Place(1, pytest.approx(0.8))}
    assert (a.d_query_doc, a.d_query_positive, a.d_positive_doc) == pytest.approx((0.2, 0.4, 0.04))
    assert (a.fused_score, a.rrf, a.agreement) == (pytest.approx(0.8), pytest.approx(1 / 62 + 1 / 61), 2)
    assert (a.lexical_overlap, a.fusions) == (0, {})


def test_the_limit_is_of_candidates_and_hides_no_outcome(project):
    whole, one, none = (project.explain("q", limit=limit) for limit in (None, 1, 0))
    assert [len(story.positives[0].candidates) for story in (whole, one, none)] == [5, 1, 0]
    assert [story.positives[0].strategies for story in (whole, one, none)] == [whole.positives[0].strategies] * 3
    assert one.positives[0].candidates == whole.positives[0].candidates[:1]
    assert none.positives[0].pool == 5


@pytest.mark.parametrize(("doc_id", "reason"), [("p", "known_positive"), ("b", None)])
def test_every_candidate_has_its_outcome_by_strategy(project, doc_id, reason):
    found = {
        candidate.document.doc_id: outcomes(candidate) for candidate in project.explain("q").positives[0].candidates
    }
    assert found[doc_id]["paper"] == reason
    assert found["r"] == {"random": None}


# Rules, what is kept, triplets


def test_each_rule_with_how_many_it_removed(project):
    paper, top, random = project.explain("q").positives[0].strategies
    assert (paper.strategy, paper.considered) == ("paper", 4)
    assert paper.settings == {"rule": "dual_criterion", "per_positive": 1}
    assert paper.removed == (
        Removal(1, "known_positive", 1),
        Removal(3, "not_closer_to_query_than_positive", 1),
        Removal(4, "not_closer_to_query_than_to_positive", 1),
    )
    assert (top.kept, top.removed[-1].reason) == ((), "filled_by_earlier_strategy")
    assert (random.considered, len(random.kept)) == (1, 1)
    for mining in (paper, top, random):
        assert mining.considered == sum(removal.rows for removal in mining.removed) + len(mining.kept)


def test_what_is_kept_and_why_in_words(project):
    first, second, _ = project.explain("q").positives
    (b,) = first.strategies[0].kept
    assert (b.document.doc_id, b.selected_rank, b.fused_score) == ("b", 1, pytest.approx(0.8))
    assert b.why == (
        "d(Q,D) 0.200 < d(Q,PD) 0.400",
        "d(Q,D) 0.200 < d(PD,D) 1.000",
        "number 1 of 1 that passed all rules",
        "but a judgment calls it right (grade 1): a false negative",
    )
    (a,) = second.strategies[0].kept
    assert a.document.doc_id == "a"
    assert a.why[2:] == ("number 1 of 2 that passed all rules",)
    (r,) = second.strategies[2].kept
    assert r.why[0] == "d(Q,D) 1.000 = d(Q,PD) 1.000"


def test_triplets(project):
    assert project.explain("q").triplets == (
        Triplet("p", "b", "paper", 1, 0.6),
        Triplet("p", "r", "random", 1, 0.6),
        Triplet("p2", "a", "paper", 1, 0.5),
        Triplet("p2", "r", "random", 1, 0.5),
    )


def test_only_some_strategies_or_one_positive(project):
    story = explain(project, "q", strategies=["random"], positive="p2")
    (second,) = story.positives
    assert second.document.doc_id == "p2"
    assert [mining.strategy for mining in second.strategies] == ["random"]
    assert {outcome.strategy for candidate in second.candidates for outcome in candidate.outcomes} == {"random"}
    assert story.triplets == (Triplet("p2", "r", "random", 1, 0.5),)


def test_unknown_strategies_and_positives_are_errors(project):
    with pytest.raises(SelectorError, match="there is no strategy 'papr'") as caught:
        explain(project, "q", strategies=["papr"])
    assert caught.value.hint == "did you mean 'paper'?"
    with pytest.raises(SelectorError, match="'xyz' is not a positive of the query") as caught:
        explain(project, "q", positive="xyz")
    assert caught.value.hint == "there are p, p2, p3"
    with pytest.raises(SelectorError) as caught:
        explain(project, "t", positive="p")
    assert caught.value.hint == "there is none"


# Evaluation


def test_an_evaluation_query_has_the_ranks_of_its_right_answers(project):
    story = project.explain("t")
    assert [answer.doc_id for answer in story.answers] == ["c", "p"]
    first, other = story.systems
    assert (first.name, first.is_first_stage, first.documents) == ("bm25", True, 3)
    assert (other.name, other.is_first_stage, other.documents) == ("another", False, 3)
    assert (first.places, other.places) == ({"p": Place(3, 7.0)}, {"p": Place(1, 3.5)})
    assert (first.measures, other.measures) == ({"RR@10": pytest.approx(1 / 3)}, {"RR@10": 1.0})
    assert story.answers[1].found == {"bm25": Place(3, 5.0), "minilm": Place(1, 0.5)}


def test_other_queries_are_not_evaluated(project):
    assert project.explain("q").systems == ()
    assert [answer.doc_id for answer in project.explain("q").answers] == ["p", "b"]


# What is missing, and why


@pytest.mark.parametrize(
    ("query_id", "notes"),
    [
        ("q", ["nothing is mined for 1 of the 3 positives: positives_per_query is 2"]),
        ("lonely", ["no candidates: no retriever returned a document for it"]),
        (
            "tried",
            [
                "no positives, so nothing is mined: no click passed; best is a with 2 clicks, clicked_sessions 1, "
                "lower_bound 0.120 (asked for: min_lower_bound 0.3)"
            ],
        ),
        ("ignored", ["no positives, so nothing is mined: of the documents shown for it (1), none was clicked"]),
        ("unseen", ["no positives, so nothing is mined: the click log does not show it to anybody"]),
        (
            "u",
            ["no positives, so nothing is mined: nothing says whether an answer to it is right (split unjudged)"],
        ),
        (
            "t",
            ["no positives, so nothing is mined: test queries are for evaluation, and training never sees them"],
        ),
        ("t-2", [..., "not evaluated: it is not among the evaluation_queries that were drawn"]),
        ("t-3", [..., "not evaluated: no judgment says which answer is right"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_missing_is_said_with_the_reason(project, query_id, notes):
    found = project.explain(query_id).notes
    assert len(found) == len(notes)
    assert [note for note, asked in zip(found, notes, strict=True) if asked not in (note, ...)] == []


def test_without_candidates_there_is_nothing_to_tell_of_strategies(project):
    (positive,) = project.explain("lonely").positives
    assert (positive.pool, positive.d_query_positive, positive.candidates, positive.strategies) == (0, None, (), ())


def test_judgments_that_are_not_enough(changed):
    changed.edit("project.yml", "positives_from: clicks", "positives_from: judgments")
    changed.write(
        "sql/positives.sql",
        """
        select query_id, doc_id, 1 as positive_rank, 1.0::double as weight, 'judgments' as origin, grade, split
        from {{ ref('judgments') }}
        where grade >= {{ var('min_grade', 3) }} and '{{ var('positives_from') }}' = 'judgments'
        """,
    )
    changed.write("sql/judgments.sql", "select 'q' as query_id, 'p' as doc_id, 2 as grade, 'train' as split")
    assert changed.run("positives", "judgments").ok
    project = changed.load()
    none = "no positives, so nothing is mined: "
    assert project.explain("q").notes == (f"{none}the best grade of its 1 judgments is 2; min_grade is 3",)
    assert project.explain("unseen").notes == (f"{none}no judgment names it",)


def test_tables_that_are_not_built_are_named_with_what_to_run(tmp_path, changed):
    project = TinyProject(tmp_path / "part")
    for path in changed.root.rglob("*.[sy][qm]l"):
        project.write(str(path.relative_to(changed.root)), path.read_text())
    with pytest.raises(WarehouseError, match="there is no warehouse"):
        project.load().explain("q")
    project.run("judgments")
    with pytest.raises(QueryError, match="queries is not built") as caught:
        project.load().explain("q")
    assert caught.value.hint == "`hnm run --select +queries` builds it"
    with pytest.raises(QueryError, match="queries is not built"):
        find_queries(project.load(), "five")
    project.run("+positives", "queries")
    story = project.load().explain("q")
    assert story.notes == (
        "not built yet: texts, candidates, scored_candidates, negatives, triplets; "
        "`hnm run --select '+texts +candidates +scored_candidates +negatives +triplets'` builds them",
    )
    assert [positive.document.doc_id for positive in story.positives] == ["p", "p2", "p3"]
    assert story.positives[0].document.excerpt == ""
    assert project.load().explain("t").notes[0].startswith("not built yet: texts, candidates, evaluation_queries")


def test_a_table_of_another_form_is_an_error_that_names_what_is_wrong(changed):
    changed.write("sql/negatives.sql", "select 'q' as query_id, 'paper' as strategy")
    changed.write("sql/triplets.sql", "select 1 as one from {{ ref('queries') }}")
    changed.run("negatives", "triplets")
    with pytest.raises(QueryError, match="not as the default pipeline makes it") as caught:
        changed.load().explain("q")
    assert "positive_id" in str(caught.value.why)


# Finding the query


def test_an_unknown_id_names_the_nearest(project):
    with pytest.raises(QueryError, match="there is no query 'lonelyy'") as caught:
        project.explain("lonelyy")
    assert caught.value.hint == "did you mean lonely?"
    with pytest.raises(QueryError) as caught:
        project.explain("T-")
    assert caught.value.hint == "did you mean t-2, t-3?"
    with pytest.raises(QueryError) as caught:
        project.explain("something else entirely")
    assert "--text" in str(caught.value.hint)


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=12))
def test_any_id_and_any_text_are_bound_and_never_become_sql(project, text):
    for call in (project.explain, lambda words: find_queries(project, words)):
        try:
            call(text)
        except HnmError as error:
            assert isinstance(error, QueryError)  # any other error would be a failure


def test_a_query_is_found_by_words_of_its_text(project):
    assert find_queries(project, "FIVE que") == [Match("q", "train", "query five")]
    assert [match.query_id for match in find_queries(project, "clicked")] == ["tried", "ignored"]
    assert [match.query_id for match in find_queries(project, " Five ")] == ["unseen"]
    for text in ("no such words", "", "  ", "%"):
        with pytest.raises(QueryError, match="no query holds all the words"):
            find_queries(project, text)


def test_texts_are_told_as_they_are(project):
    hostile = HOSTILE.replace("' || chr(27) || '", "\x1b")
    assert project.explain("m[red]").text == hostile
    assert project.explain("q").positives[0].candidates[0].document.excerpt == f"a\n{hostile}"


# The form


def test_a_story_is_data_that_does_not_change(project):
    assert project.explain("q") == Project.load(project.manifest.root).explain("q")
    assert Outcome("paper", None, 0, 1) in project.explain("q").positives[0].candidates[1].outcomes
    with pytest.raises(AttributeError):
        project.explain("q").text = "another"
    assert asdict(project.explain("t"))["systems"][0]["places"] == {"p": {"rank": 3, "score": 7.0}}

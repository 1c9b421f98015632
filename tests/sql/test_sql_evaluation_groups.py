"""evaluation_groups: by length of the answers, by template, by the project's own expressions."""

import pytest
from sql_stages import Stages

from hnm.errors import TemplateError

WORDS = "one two three four five six seven eight"


@pytest.fixture
def collection(stages: Stages) -> Stages:
    """Five evaluation queries of three forms, among others that only make words frequent or rare."""
    asked = {
        "q1": "What are the symptoms of gout?",
        "q2": "What are the symptoms of Down syndrome?",
        "q3": "What are the symptoms of a cold?",
        "q4": "Is it far",
        "q5": "Warum?",
    }
    others = {f"o{i}": f"other{i}" for i in range(20)}
    stages.give("queries", [(name, text, "test") for name, text in {**asked, **others}.items()])
    stages.give("evaluation_queries", asked.items(), "query_id varchar, text varchar")
    stages.give("corpus", [(f"d{n}", "", " ".join(WORDS.split()[:n]), '{"kind": "x"}') for n in range(1, 9)])
    answers = [("q1", "d1", 1), ("q1", "d3", 1), ("q2", "d2", 1), ("q3", "d4", 2), ("q4", "d5", 1), ("q5", "d8", 3)]
    stages.give("evaluation_judgments", [*answers, ("q1", "d8", 0)], "query_id varchar, doc_id varchar, grade integer")
    return stages


def groups(stages: Stages, grouping: str, **variables: object) -> dict[str, str]:
    rows = stages.build("evaluation_groups", **variables)
    return {row["query_id"]: row["group"] for row in rows if row["grouping"] == grouping}


def test_short_is_up_to_the_median_of_the_mean_length_of_the_right_answers(collection: Stages) -> None:
    # q1 has 1 and 3 words, so 2; what is not relevant does not count. Sorted: 2 2 4 5 8.
    assert groups(collection, "document_length") == {
        "q1": "short",
        "q2": "short",
        "q3": "short",
        "q4": "long",
        "q5": "long",
    }


def test_queries_that_differ_in_rare_words_share_a_template(collection: Stages) -> None:
    # what, are, the, symptoms and of occur in three queries each, all other words in one.
    # q4 and q5 have none of these words, which is no template.
    found = groups(collection, "template")
    assert found == {"q1": "many share", "q2": "many share", "q3": "many share", "q4": "own words", "q5": "own words"}


def test_queries_of_training_make_a_template_too(collection: Stages) -> None:
    collection.connection.execute("delete from evaluation_queries where query_id in ('q2', 'q3')")
    assert groups(collection, "template") == {"q1": "many share", "q4": "own words", "q5": "own words"}


def test_less_than_a_hundredth_is_some(stages: Stages) -> None:
    asked = {"two1": "where is x", "two2": "where is y", "one": "is there where"}
    asked |= {f"many{i}": f"where of {chr(97 + i)}" for i in range(9)}
    rest = {f"o{i}": f"where is word{i} of of" if i < 9 else f"word{i}" for i in range(288)}
    stages.give("queries", [(name, text, "train") for name, text in {**asked, **rest}.items()])
    stages.give("evaluation_queries", asked.items(), "query_id varchar, text varchar")
    stages.give("corpus", [("d", "", "a")])
    stages.give("evaluation_judgments", [], "query_id varchar, doc_id varchar, grade integer")
    found = groups(stages, "template")  # of 300 queries; a word that 6 of them have is frequent
    assert (found["two1"], found["two2"], found["one"]) == ("some share", "some share", "own words")
    assert {found[f"many{i}"] for i in range(9)} == {"many share"}


def test_any_sql_over_query_answer_and_document(collection: Stages) -> None:
    own = {"graded": "judgment.grade > 1", "kind": "document.metadata ->> '$.kind'", "length": "len(query.text) // 10"}
    assert groups(collection, "graded", evaluation_groups=own)["q5"] == "true"
    assert groups(collection, "graded", evaluation_groups=own)["q1"] == "false"
    assert set(groups(collection, "kind", evaluation_groups=own).values()) == {"x"}
    assert groups(collection, "length", evaluation_groups=own)["q4"] == "0"


def test_what_is_null_is_a_group_too(collection: Stages) -> None:
    assert set(groups(collection, "missing", evaluation_groups={"missing": "null"}).values()) == {"none"}


@pytest.mark.parametrize("name", ["a b", "template", "document_length", "it's"])
def test_a_name_that_is_none_is_refused(collection: Stages, name: str) -> None:
    with pytest.raises(TemplateError, match="evaluation_groups"):
        collection.build("evaluation_groups", evaluation_groups={name: "1"})


def test_no_queries_no_groups(stages: Stages) -> None:
    for table, columns in {
        "evaluation_queries": "query_id varchar, text varchar",
        "evaluation_judgments": "query_id varchar, doc_id varchar, grade integer",
    }.items():
        stages.give(table, [], columns)
    stages.give("queries")
    stages.give("corpus")
    assert stages.build("evaluation_groups") == []

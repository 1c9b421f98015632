"""Lance's full-text retrieval against its formula worked out in Python, and what it promises about ties and blanks."""

import math
import random
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from retrieval_tables import Texts, lists, tables

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.retrieval.candidates import SCHEMA
from hnm.transforms.retrieve_fulltext import FulltextParams, retrieve_fulltext

WORDS = ["fox", "den", "red", "tree", "lake", "café", "東京", "x12", "it's", "b"]
PLAIN = {"tokenizer": "whitespace", "stem": False, "stop_words": False, "fold_accents": False}


def retrieve(inputs: dict[str, pa.Table], **params: object) -> pa.Table:
    with tempfile.TemporaryDirectory() as folder:
        context = Context("fulltext", Path(folder), Path(folder) / "work")
        batches = list(retrieve_fulltext(Inputs.of(**inputs), FulltextParams(**params), context))
    return pa.Table.from_batches(batches, SCHEMA)


def names(candidates: pa.Table, query: str = "q") -> list[str]:
    return [name for name, _ in lists(candidates).get(query, [])]


def bm25(documents: Texts, query: str | None) -> dict[str, float]:
    """Scores above 0, over documents that have a word at all."""
    words = {name: (text or "").lower().split() for name, text in documents.items() if (text or "").split()}
    average = sum(map(len, words.values())) / max(1, len(words))
    scores: Counter[str] = Counter()
    for term in (query or "").lower().split():
        frequency = sum(term in text for text in words.values())
        idf = math.log(1 + (len(words) - frequency + 0.5) / (frequency + 0.5))
        for name, text in words.items():
            count = text.count(term)
            scores[name] += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(text) / average))
    return {name: score for name, score in scores.items() if score > 0}


def random_texts(seed: int, prefix: str, count: int, longest: int) -> Texts:
    source = random.Random(seed)
    return {f"{prefix}{i:04}": " ".join(source.choices(WORDS, k=source.randint(0, longest))) for i in range(count)}


def agrees(found: list[tuple[str, float]], scores: dict[str, float], top_k: int) -> None:
    """The list has the highest scores, of the right documents, in order; ties by id."""
    expected = sorted(scores.values(), reverse=True)[:top_k]
    assert [score for _, score in found] == pytest.approx(expected, rel=1e-5)
    assert [scores[name] for name, _ in found] == pytest.approx(expected, rel=1e-5)
    assert found == sorted(found, key=lambda pair: (-pair[1], pair[0]))


def test_scores_follow_the_formula_in_blocks_of_postings() -> None:
    """More documents than a block of Lance's postings holds (128), and more queries than are held at once."""
    documents, queries = random_texts(1, "d", 700, 12), random_texts(2, "q", 520, 5)
    result = lists(retrieve(tables(documents, queries), top_k=20, **PLAIN))
    for name, query in queries.items():
        agrees(result.get(name, []), bm25(documents, query), 20)


texts = st.dictionaries(
    st.text("abcé東", min_size=1, max_size=3),
    st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join),
    max_size=6,
)


@given(texts, texts, st.integers(1, 8), st.randoms())
@settings(max_examples=25, deadline=None)
def test_row_order_changes_nothing_and_ties_are_ranked_by_id(
    documents: Texts, queries: Texts, top_k: int, source: random.Random
) -> None:
    plain = retrieve(tables(documents, queries), top_k=top_k, **PLAIN)
    mixed = [dict(source.sample([*some.items()], len(some))) for some in (documents, queries)]
    assert plain.equals(retrieve(tables(*mixed), top_k=top_k, **PLAIN))
    result = lists(plain)
    for name, query in queries.items():
        agrees(result.get(name, []), bm25(documents, query), top_k)


def test_equal_scores_are_ranked_by_id_also_at_the_cutoff() -> None:
    """More equal documents than are asked for at first."""
    ids = [f"{i:03}" for i in range(300)]
    random.Random(3).shuffle(ids)
    documents: Texts = dict.fromkeys(ids, "fox den") | {"best": "fox fox"}
    assert names(retrieve(tables(documents, {"q": "fox"}), top_k=4)) == ["best", "000", "001", "002"]


def test_queries_without_a_known_term_have_no_candidates() -> None:
    queries: Texts = {"stop": "the of and", "none": "", "null": None, "blank": " \n", "new": "zebra", "known": "a fox"}
    assert list(lists(retrieve(tables({"a": "fox", "b": "den", "c": "", "d": None}, queries)))) == ["known"]


@pytest.mark.parametrize("query", ['"fox', "fox AND", "(fox", "fox*", "text:fox", "fox~2", "+fox -den", "\\fox"])
def test_a_query_is_words_and_no_syntax(query: str) -> None:
    assert "a" in names(retrieve(tables({"a": "fox", "b": "lake"}, {"q": query})))


def test_stems_stop_words_accents_and_case() -> None:
    documents: Texts = {"a": "Running by the CAFÉ", "b": "lake"}
    queries: Texts = {"stem": "runs", "accent": "cafe", "stop": "the", "case": "café"}
    assert list(lists(retrieve(tables(documents, queries)))) == ["accent", "case", "stem"]
    assert list(lists(retrieve(tables(documents, queries), stem=False))) == ["accent", "case"]
    assert list(lists(retrieve(tables(documents, queries), fold_accents=False))) == ["case", "stem"]
    assert list(lists(retrieve(tables(documents, queries), stop_words=False))) == ["accent", "case", "stem", "stop"]


def test_scripts_without_spaces_and_parts_of_words() -> None:
    documents: Texts = {"a": "東京都に住んでいます", "b": "internationalization"}
    queries: Texts = {"tokyo": "東京", "part": "nationalize"}
    assert lists(retrieve(tables(documents, queries))) == {}
    assert names(retrieve(tables(documents, queries), tokenizer="icu"), "tokyo") == ["a"]
    assert names(retrieve(tables(documents, queries), tokenizer="ngram"), "part") == ["b"]


def test_long_terms_are_left_out_on_demand() -> None:
    inputs = tables({"a": "x" * 41, "b": "fox"}, {"q": "x" * 41})
    assert names(retrieve(inputs)) == []
    assert names(retrieve(inputs, max_term_length=None)) == ["a"]


def test_title_and_text_are_one_and_either_may_be_missing() -> None:
    inputs = tables({"a": None, "b": "fox", "c": "den"}, {"q": "fox"}, {"a": "Fox", "b": None, "c": ""})
    assert names(retrieve(inputs)) == ["a", "b"]


@pytest.mark.parametrize(
    ("documents", "queries"),
    [
        ({}, {}),
        ({}, {"q": "fox"}),
        ({"a": "fox"}, {}),
        ({"a": "", "b": None}, {"q": "fox"}),
        ({"a": "the"}, {"q": "the"}),
    ],
)
def test_nothing_to_find(documents: Texts, queries: Texts) -> None:
    result = retrieve(tables(documents, queries))
    assert result.num_rows == 0
    assert result.schema == SCHEMA


def test_one_document_and_top_k_beyond_the_corpus() -> None:
    ((name, score),) = lists(retrieve(tables({"ä": "Straße ÄRZTE"}, {"q": "ärzte"}), top_k=1000, retriever="words"))[
        "q"
    ]
    assert (name, score > 0) == ("ä", True)


def test_what_a_killed_run_left_is_written_over(tmp_path: Path) -> None:
    for text, expected in (("fox", ["q"]), ("den", [])):
        inputs = Inputs.of(**tables({"a": text}, {"q": "fox"}))
        batches = list(retrieve_fulltext(inputs, FulltextParams(), Context("fulltext", tmp_path, tmp_path)))
        assert pa.Table.from_batches(batches)["query_id"].to_pylist() == expected


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    retrieve(tables({"a": "fox"}, {"q": "fox"}))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("table", ["corpus", "queries"])
def test_refuses_repeated_and_missing_ids(table: str) -> None:
    inputs = tables({"a": "fox"}, {"a": "fox"})
    with pytest.raises(StageError, match="'a' occurs more than once"):
        retrieve(inputs | {table: pa.concat_tables([inputs[table]] * 2)})
    unnamed = inputs[table].set_column(0, inputs[table].field(0), pa.array([None], pa.string()))
    with pytest.raises(StageError, match="1 rows have no"):
        retrieve(inputs | {table: unnamed})


@pytest.mark.parametrize(
    "params", [{"top_k": 0}, {"tokenizer": "raw"}, {"language": "klingon"}, {"max_term_length": 0}, {"k1": 1.2}]
)
def test_refuses_impossible_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FulltextParams(**params)

"""BM25 retrieval against bm25s itself and against the formula, and what it promises about ties and empty texts."""

import math
import random
from collections import Counter
from pathlib import Path

import bm25s
import pyarrow as pa
import pytest
import Stemmer
from pydantic import ValidationError
from retrieval_tables import Texts, lists, tables

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.retrieval.candidates import SCHEMA
from hnm.transforms.retrieve_bm25 import BM25Params, retrieve_bm25

HERE = Path()
WORDS = [
    "running",
    "runs",
    "runner",
    "cell",
    "cells",
    "organize",
    "the",
    "of",
    "naïve",
    "café",
    "東京",
    "x12",
    "it's",
    "b",
]


def retrieve(inputs: dict[str, pa.Table], **params: object) -> pa.Table:
    batches = list(retrieve_bm25(Inputs.of(**inputs), BM25Params(**params), Context("bm25", HERE, HERE)))
    return pa.Table.from_batches(batches, SCHEMA)


def best(scores: dict[str, float], top_k: int) -> list[tuple[str, float]]:
    positive = [(name, score) for name, score in scores.items() if score > 0]
    return sorted(positive, key=lambda pair: (-pair[1], pair[0]))[:top_k]


def random_texts(seed: int, prefix: str, count: int, longest: int) -> Texts:
    source = random.Random(seed)
    return {f"{prefix}{i:03}": " ".join(source.choices(WORDS, k=source.randint(0, longest))) for i in range(count)}


@pytest.mark.parametrize("method", ["lucene", "robertson", "atire"])
@pytest.mark.parametrize("stemmer", ["english", "none"])
@pytest.mark.parametrize("stop_words", ["english", "none"])
def test_scores_are_those_of_bm25s(method: str, stemmer: str, stop_words: str) -> None:
    documents, queries = random_texts(1, "d", 120, 12), random_texts(2, "q", 60, 6)
    result = lists(
        retrieve(
            tables(documents, queries), method=method, stemmer=stemmer, stop_words=stop_words, k1=0.9, b=0.4, top_k=7
        )
    )
    options = {
        "stopwords": None if stop_words == "none" else "en",
        "stemmer": None if stemmer == "none" else Stemmer.Stemmer("english"),
        "show_progress": False,
    }
    peer = bm25s.BM25(method=method, k1=0.9, b=0.4)
    peer.index(bm25s.tokenize(list(documents.values()), **options), show_progress=False)
    for name, text in queries.items():
        (terms,) = bm25s.tokenize([text], return_ids=False, **options)
        scores = peer.get_scores(terms).tolist() if terms else []
        assert result.get(name, []) == best(dict(zip(documents, scores, strict=False)), 7)


def test_scores_follow_the_formula() -> None:
    documents: Texts = {"a": "red fox red den", "b": "blue fox", "c": "green tree by blue lake", "d": "fox fox fox"}
    words = {name: (text or "").split() for name, text in documents.items()}
    average = sum(map(len, words.values())) / len(words)

    def bm25(term: str, name: str) -> float:
        frequency = sum(term in text for text in words.values())
        count = Counter(words[name])[term]
        idf = math.log(1 + (len(words) - frequency + 0.5) / (frequency + 0.5))
        return idf * count / (count + 1.2 * (1 - 0.75 + 0.75 * len(words[name]) / average))

    expected = {name: bm25("red", name) + 2 * bm25("fox", name) for name in documents}
    result = lists(retrieve(tables(documents, {"q": "fox red fox"}), stemmer="none", stop_words="none"))
    assert [name for name, _ in result["q"]] == [name for name, _ in best(expected, 10)]
    assert [score for _, score in result["q"]] == pytest.approx([score for _, score in best(expected, 10)], rel=1e-6)


def test_equal_scores_are_ranked_by_id_also_at_the_cutoff() -> None:
    documents: Texts = dict.fromkeys(["b", "é", "a", "C", "10", "9", "z", ""], "fox den") | {"best": "fox fox"}
    result = lists(retrieve(tables(documents, {"q": "fox"}), top_k=4))
    assert [name for name, _ in result["q"]] == ["best", "", "10", "9"]


@pytest.mark.parametrize("seed", [1, 2])
def test_row_order_changes_nothing(seed: int) -> None:
    inputs = tables(random_texts(3, "d", 80, 5), random_texts(4, "q", 600, 3))
    order = list(range(80))
    random.Random(seed).shuffle(order)
    shuffled = {"corpus": inputs["corpus"].take(order), "queries": inputs["queries"].take(list(range(599, -1, -1)))}
    assert retrieve(inputs, top_k=9).equals(retrieve(shuffled, top_k=9))


def test_queries_without_a_known_term_have_no_candidates() -> None:
    queries: Texts = {
        "stop": "the of and",
        "none": "",
        "null": None,
        "new": "zebra",
        "short": "x y",
        "known": "zebra fox",
    }
    result = lists(retrieve(tables({"a": "fox", "b": "den"}, queries)))
    assert list(result) == ["known"]
    assert [name for name, _ in result["known"]] == ["a"]


def test_a_new_form_of_a_known_stem_is_known() -> None:
    result = lists(retrieve(tables({"a": "organization", "b": "fox"}, {"q": "organizing"})))
    assert [name for name, _ in result["q"]] == ["a"]


def test_title_and_text_are_one_and_either_may_be_missing() -> None:
    inputs = tables({"a": None, "b": "fox", "c": "den"}, {"q": "fox"}, {"a": "Fox", "b": None, "c": ""})
    assert [name for name, _ in lists(retrieve(inputs))["q"]] == ["a", "b"]


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
    ((name, score),) = lists(retrieve(tables({"a": "Straße ÄRZTE"}, {"q": "ärzte"}), top_k=1000))["q"]
    assert name == "a"
    assert score > 0


def test_the_retriever_is_named() -> None:
    inputs = tables({"a": "fox"}, {"q": "fox"})
    assert retrieve(inputs)["retriever"].to_pylist() == ["bm25"]
    assert retrieve(inputs, retriever="words")["retriever"].to_pylist() == ["words"]


@pytest.mark.parametrize("table", ["corpus", "queries"])
def test_refuses_repeated_and_missing_ids(table: str) -> None:
    inputs = tables({"a": "fox"}, {"a": "fox"})
    with pytest.raises(StageError, match="'a' occurs more than once"):
        retrieve(inputs | {table: pa.concat_tables([inputs[table]] * 2)})
    unnamed = inputs[table].set_column(0, inputs[table].field(0), pa.array([None], pa.string()))
    with pytest.raises(StageError, match="1 rows have no"):
        retrieve(inputs | {table: unnamed})


@pytest.mark.parametrize(
    "params", [{"top_k": 0}, {"b": 1.1}, {"k1": -1}, {"k1": math.nan}, {"stemmer": "klingon"}, {"method": "bm25+"}]
)
def test_refuses_impossible_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BM25Params(**params)

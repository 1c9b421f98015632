"""Exports read by the classes that FlagEmbedding, Tevatron and BEIR themselves read training data with."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer
from triplet_tables import ROWS, triplet, version_of

from hnm.dataset.export import Export, export

NASTY = 'a "quote", \t a tab,\n a break \u2028 and \U0001f600'
GIVEN = [*ROWS, triplet("q4", "p4", "n6", negative=NASTY)]


@pytest.fixture
def tokenizer(tiny_cross_encoder: Path) -> Any:
    return AutoTokenizer.from_pretrained(str(tiny_cross_encoder))


def written(folder: Path, name: str) -> Path:
    out = folder / "out"
    export(version_of(folder, GIVEN), out, Export(name), "tests")
    return out


@pytest.mark.parametrize("distilled", [False, True])
def test_flagembedding_reads_groups_for_its_reranker(tmp_path, tokenizer, distilled):
    """One group per query: a positive, then negatives, each as the tokens of query and passage."""
    library = pytest.importorskip("FlagEmbedding.abc.finetune.reranker")
    arguments = library.AbsRerankerDataArguments(
        train_data=[str(written(tmp_path, "flagembedding"))], cache_path=str(tmp_path / "cache"), train_group_size=3,
        query_max_len=16, passage_max_len=32, knowledge_distillation=distilled,
    )  # fmt: skip
    rows = library.AbsRerankerTrainDataset(arguments, tokenizer)
    assert len(rows) == 4  # every query of every split: the class reads all files of the folder
    assert {row["query"] for row in rows.dataset} == {f"what is q{number} ?" for number in (1, 2, 3, 4)}
    assert NASTY in [text for row in rows.dataset for text in row["neg"]]
    groups = [rows[place] for place in range(len(rows))]
    assert all(len(passages) == 3 for passages, _ in groups)
    assert groups[0][1] == ([0.75, 0.5, 0.5] if distilled else None)
    batch = library.AbsRerankerCollator(tokenizer, query_max_len=16, passage_max_len=32)(groups)
    assert batch["pair"]["input_ids"].shape[0] == 12
    assert batch["teacher_scores"] == (4 * [0.75, 0.5, 0.5] if distilled else None)


def test_flagembedding_reads_groups_for_its_embedder(tmp_path, tokenizer):
    library = pytest.importorskip("FlagEmbedding.abc.finetune.embedder")
    arguments = library.AbsEmbedderDataArguments(
        train_data=[str(written(tmp_path, "flagembedding"))], cache_path=str(tmp_path / "cache"), train_group_size=3
    )
    rows = library.AbsEmbedderTrainDataset(arguments, tokenizer)
    query, passages, scores = next(row for row in map(rows.__getitem__, range(len(rows))) if row[0] == "what is q4 ?")
    assert (query, passages, scores) == ("what is q4 ?", ["the text of p4", NASTY, NASTY], None)


def test_tevatron_reads_queries_with_their_passages(tmp_path, tokenizer):
    """Its own loader, by the name of the folder; it gives the tokens of each text."""
    datasets = pytest.importorskip("tevatron.datasets")
    from tevatron.arguments import DataArguments

    out = written(tmp_path, "tevatron")
    arguments = DataArguments(dataset_name=str(out), q_max_len=16, p_max_len=32)
    arguments.dataset_proc_num = None  # in this process: Lance does not survive the fork of another
    rows = datasets.HFTrainDataset(tokenizer, arguments, str(tmp_path / "cache")).process()
    assert rows.column_names == ["query", "positives", "negatives"]
    read = {
        tokenizer.decode(row["query"]): [list(map(tokenizer.decode, row[name])) for name in ("positives", "negatives")]
        for row in rows
    }
    tokens = {text: tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) for text in _texts()}
    assert read == {
        tokens["what is q1 ?"]: [[tokens["the text of p1"], tokens["the text of p2"]],
                                 [tokens[f"the text of n{number}"] for number in (1, 2, 3)]],
        tokens["what is q2 ?"]: [[tokens["the text of p3"]], [tokens["the text of n4"], tokens["the text of n1"]]],
        tokens["what is q4 ?"]: [[tokens["the text of p4"]], [tokens[NASTY]]],
    }  # fmt: skip


def _texts() -> set[str]:
    return {row[name] for row in GIVEN for name in ("query", "positive", "negative")}


def test_beir_reads_the_collection(tmp_path):
    loader = pytest.importorskip("beir.datasets.data_loader")
    corpus, queries, qrels = loader.GenericDataLoader(str(written(tmp_path, "beir"))).load(split="train")
    assert corpus == {
        row[f"{role}_id"]: {"text": row[role], "title": ""} for row in GIVEN for role in ("positive", "negative")
    }
    assert queries == {f"q{number}": f"what is q{number} ?" for number in (1, 2, 4)}
    assert qrels == {"q1": {"p1": 1, "p2": 1}, "q2": {"p3": 1}, "q4": {"p4": 1}}

"""Every exported format, read by the library that it is meant for where that can be installed."""

import csv
import json
import random
from pathlib import Path
from typing import Any

import datasets
import ir_measures
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from triplet_tables import ROWS, SCHEMA, triplet, version_of

from hnm.cli.dataset_export import export as export_command
from hnm.context import Context
from hnm.dataset.export import Export, export
from hnm.dataset.formats import find_format, format_names
from hnm.dataset.formats._format import Options, Told
from hnm.dataset.selection import Selection
from hnm.errors import HnmError, QueryError, StageError
from hnm.inputs import Inputs
from hnm.readers.beir import BeirParams, beir
from hnm.readers.trec import TrecParams, trec


def write(
    folder: Path, name: str, rows: list[dict[str, Any]] | None = None, schema: pa.Schema = SCHEMA, **more: Any
) -> Told:
    """Export rows to `folder/out`."""
    given = ROWS if rows is None else rows
    options = Options(more.pop("negatives", None), more.pop("ids", True))
    return export(version_of(folder, given, schema), folder / "out", Export(name, options=options, **more), "tests")


def loaded(folder: Path) -> datasets.DatasetDict:
    """What `datasets.load_dataset` makes of the folder, by its card alone."""
    return datasets.load_dataset(str(folder / "out"), cache_dir=str(folder / "cache"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_all_formats_are_known_by_name_and_to_the_help():
    assert format_names() == [
        "beir", "csv", "flagembedding", "huggingface", "jsonl", "labeled-list", "labeled-pair", "msmarco", "n-tuple",
        "parquet", "tevatron", "trec", "triplet",
    ]  # fmt: skip
    assert all(find_format(name).summary for name in format_names())
    said = export_command.__annotations__["form"].__metadata__[0].help
    assert sorted(said.rstrip(".").replace(" or ", " ").replace(",", "").split()) == format_names()
    with pytest.raises(QueryError, match=r"unknown format 'tripplet'(.|\n)*did you mean 'triplet'"):
        find_format("tripplet")


# sentence-transformers


def test_triplets_have_three_columns_in_order_and_each_triplet_once(tmp_path):
    told = write(tmp_path, "triplet")
    assert told.rows == {"dev": 1, "train": 6}
    rows = loaded(tmp_path)
    assert rows["train"].column_names == ["query", "positive", "negative"]
    assert rows["dev"][:] == {"query": ["what is q3 ?"], "positive": ["the text of p1"], "negative": ["the text of n5"]}
    ids = pq.read_table(tmp_path / "out/ids/train-00000-of-00001.parquet").to_pylist()
    assert [tuple(row.values()) for row in ids] == [
        ("q1", "p1", "n1"), ("q1", "p1", "n2"), ("q1", "p1", "n3"), ("q1", "p2", "n1"), ("q2", "p3", "n4"),
        ("q2", "p3", "n1"),
    ]  # fmt: skip
    assert [row["negative"] for row in rows["train"]] == [f"the text of {row['negative_id']}" for row in ids]


def test_n_tuples_have_a_column_per_negative_and_leave_short_pairs_out(tmp_path):
    told = write(tmp_path, "n-tuple", negatives=2)
    assert (told.rows, told.notes) == ({"train": 2}, ["2 pairs have fewer than 2 negatives: left out"])
    rows = loaded(tmp_path)["train"]
    assert rows.column_names == ["query", "positive", "negative_1", "negative_2"]
    assert [list(row.values()) for row in rows] == [
        ["what is q1 ?", "the text of p1", "the text of n1", "the text of n2"],
        ["what is q2 ?", "the text of p3", "the text of n4", "the text of n1"],
    ]
    ids = pq.read_table(tmp_path / "out/ids/train-00000-of-00001.parquet").to_pylist()
    assert ids[0] == {"query_id": "q1", "positive_id": "p1", "negative_ids": ["n1", "n2"]}


def test_labeled_lists_begin_with_the_positive(tmp_path):
    assert write(tmp_path, "labeled-list").rows == {"dev": 1, "train": 3}
    rows = loaded(tmp_path)["train"]
    assert rows.column_names == ["query", "documents", "labels"]
    assert rows[0]["documents"] == [f"the text of {name}" for name in ("p1", "n1", "n2", "n3")]
    assert [row["labels"] for row in rows] == [[1, 0, 0, 0], [1, 0], [1, 0, 0]]


def test_labeled_pairs_have_each_document_of_a_query_once(tmp_path):
    rows = [*ROWS, triplet("q1", "p1", "p2")]  # a label conflict: p2 is a positive of q1
    write(tmp_path, "labeled-pair", rows)
    pairs = loaded(tmp_path)["train"]
    assert pairs.column_names == ["query", "document", "label"]
    of_q1 = [(row["document"].split()[-1], row["label"]) for row in pairs if "q1" in row["query"]]
    assert of_q1 == [("p1", 1), ("p2", 1), ("n1", 0), ("n2", 0), ("n3", 0)]


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("labeled-pair", "BinaryCrossEntropyLoss"),
        ("labeled-list", "ListNetLoss"),
        ("triplet", "MultipleNegativesRankingLoss"),
        ("n-tuple", "CachedMultipleNegativesRankingLoss"),
    ],
)
def test_a_cross_encoder_takes_a_step_on_the_files_as_they_are(tmp_path, tiny_cross_encoder, name, loss):
    from sentence_transformers.cross_encoder import (
        CrossEncoder,
        CrossEncoderTrainer,
        CrossEncoderTrainingArguments,
        losses,
    )

    write(tmp_path, name, **({"negatives": 2} if name == "n-tuple" else {}))
    model = CrossEncoder(str(tiny_cross_encoder), num_labels=1, max_length=32, device="cpu")
    arguments = CrossEncoderTrainingArguments(
        output_dir=str(tmp_path / "trained"), max_steps=1, per_device_train_batch_size=2, report_to=[], use_cpu=True,
        save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    before = model.model.classifier.weight.detach().clone()
    rows = loaded(tmp_path)["train"]
    trainer = CrossEncoderTrainer(model=model, args=arguments, train_dataset=rows, loss=getattr(losses, loss)(model))
    assert trainer.train().training_loss > 0
    assert not before.equal(model.model.classifier.weight)


# FlagEmbedding and Tevatron


def test_flagembedding_has_a_line_per_query_with_scores(tmp_path):
    write(tmp_path, "flagembedding")
    (first, second) = lines(tmp_path / "out/train-00000-of-00001.jsonl")
    assert list(first) == ["query", "pos", "neg", "pos_scores", "neg_scores"]
    assert first["pos"] == ["the text of p1", "the text of p2"]
    assert first["neg"] == ["the text of n1", "the text of n2", "the text of n3"]
    assert (first["pos_scores"], first["neg_scores"]) == ([0.75, 0.75], [0.5, 0.5, 0.5])
    assert second["neg"] == ["the text of n4", "the text of n1"]
    assert loaded(tmp_path)["train"][0] == first
    # Its data class reads every .json and .jsonl file of a folder, and draws from `pos` and `neg` of each row.
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "dev-00000-of-00001.jsonl", "ids", "train-00000-of-00001.jsonl",
    ]  # fmt: skip


def test_flagembedding_without_scores_where_the_table_has_none(tmp_path):
    names = [name for name in SCHEMA.names if name not in ("fused_score", "d_query_positive")]
    rows = [{name: row[name] for name in names} for row in ROWS]
    write(tmp_path, "flagembedding", rows, pa.schema([SCHEMA.field(name) for name in names]), ids=False)
    assert list(lines(tmp_path / "out/train-00000-of-00001.jsonl")[0]) == ["query", "pos", "neg"]
    assert not (tmp_path / "out/ids").exists()


def test_tevatron_has_passages_with_ids(tmp_path):
    write(tmp_path, "tevatron", negatives=1)
    first, second = lines(tmp_path / "out/train-00000-of-00001.jsonl")
    assert (first["query_id"], first["query"]) == ("q1", "what is q1 ?")
    assert first["positive_passages"] == [
        {"docid": name, "title": "", "text": f"the text of {name}"} for name in ("p1", "p2")
    ]
    assert [passage["docid"] for passage in first["negative_passages"]] == ["n1"]
    assert [passage["docid"] for passage in second["negative_passages"]] == ["n4"]


# Collections


def read(reader: Any, params: Any, folder: Path) -> list[dict[str, Any]]:
    context = Context(stage="read", root=folder, workdir=folder)
    return pa.Table.from_batches(list(reader(Inputs.of(), params, context))).to_pylist()


def test_beir_is_read_by_the_beir_reader(tmp_path):
    assert write(tmp_path, "beir").rows == {"dev": 1, "train": 3}
    folder = tmp_path / "out"
    corpus = read(beir, BeirParams(path=".", table="corpus"), folder)
    assert {row["doc_id"]: row["text"] for row in corpus} == {
        name: f"the text of {name}" for name in ("n1", "n2", "n3", "n4", "n5", "p1", "p2", "p3")
    }
    queries = read(beir, BeirParams(path=".", table="queries"), folder)
    assert [(row["query_id"], row["split"]) for row in queries] == [("q1", "train"), ("q2", "train"), ("q3", "dev")]
    judged = read(beir, BeirParams(path=".", table="judgments"), folder)
    assert sorted(tuple(row.values()) for row in judged) == [
        ("q1", "p1", 1, "train"), ("q1", "p2", 1, "train"), ("q2", "p3", 1, "train"), ("q3", "p1", 1, "dev"),
    ]  # fmt: skip


def test_trec_is_read_by_ir_measures_and_the_trec_reader(tmp_path):
    write(tmp_path, "trec")
    folder = tmp_path / "out"
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.train.txt")))
    assert [(row.query_id, row.doc_id, row.relevance) for row in qrels] == [
        ("q1", "p1", 1),
        ("q1", "p2", 1),
        ("q2", "p3", 1),
    ]
    run = list(ir_measures.read_trec_run(str(folder / "negatives.hard.run")))
    assert [(row.query_id, row.doc_id) for row in run] == [("q1", "n1"), ("q1", "n2"), ("q2", "n4"), ("q3", "n5")]
    (value,) = ir_measures.calc_aggregate([ir_measures.RR @ 10], qrels, run).values()
    assert value == 0  # no negative is a positive
    topics = read(trec, TrecParams(path="topics.train.tsv", table="queries"), folder)
    assert [(row["query_id"], row["text"]) for row in topics] == [("q1", "what is q1 ?"), ("q2", "what is q2 ?")]


def test_msmarco_triples_of_texts_and_ids_agree(tmp_path):
    rows = [*ROWS, triplet("q9", "p9", "n9", negative='a\ttab,\r\na break\u2028and a "quote"')]
    write(tmp_path, "msmarco", rows, rows_per_shard=4)
    folder = tmp_path / "out"
    texts = [line.split("\t") for path in sorted(folder.glob("triples.train-*")) for line in path.open(newline="")]
    ids = [line.split("\t") for path in sorted(folder.glob("qidpidtriples.train-*")) for line in path.open(newline="")]
    assert len(list(folder.glob("triples.train-*-of-00002.tsv"))) == 2
    assert [line[2].split()[-1] for line in texts[:-1]] == [line[2].strip() for line in ids[:-1]]
    assert texts[-1] == ["what is q9 ?", "the text of p9", 'a tab,  a break and a "quote"\n']
    collection = dict(line.rstrip("\n").split("\t") for line in (folder / "collection.tsv").open(newline=""))
    assert collection["n9"] == 'a tab,  a break and a "quote"'
    assert (folder / "queries.dev.tsv").read_text() == "q3\twhat is q3 ?\n"
    qrels = list(ir_measures.read_trec_qrels((folder / "qrels.train.tsv").read_text().replace("\t", " ")))
    assert [(row.query_id, row.doc_id, row.relevance) for row in qrels][:2] == [("q1", "p1", 1), ("q1", "p2", 1)]


# Whole rows


@pytest.mark.parametrize("name", ["parquet", "huggingface", "csv", "jsonl"])
def test_whole_rows_are_loaded_by_datasets_and_are_all_there(tmp_path, name):
    rows = random.Random(0).sample(ROWS, len(ROWS))
    assert write(tmp_path, name, rows, rows_per_shard=3).rows == {"dev": 1, "train": 7}
    assert len(list((tmp_path / "out").glob("train-*-of-00003.*"))) == 3
    found = loaded(tmp_path)
    assert found["train"].column_names == SCHEMA.names
    assert sorted(found["train"].to_list() + found["dev"].to_list(), key=repr) == sorted(ROWS, key=repr)


def test_csv_keeps_what_parts_fields_elsewhere(tmp_path):
    nasty = 'tab\t, comma, "quotes", \r\n break \u2028 and \U0001f600; a \\ too'
    write(tmp_path, "csv", [triplet("q", "p", "n", negative=nasty, split=None), triplet("q", "p", "m", negative="")])
    with (tmp_path / "out/train-00000-of-00001.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["negative_id"]: row["negative"] for row in rows} == {"n": nasty, "m": ""}


def test_any_lance_stage_is_written_whole(tmp_path):
    schema = pa.schema({"id": pa.string(), "vector": pa.list_(pa.float32(), 2)})
    rows = [{"id": "b", "vector": [1.0, 2.0]}, {"id": "a", "vector": [0.5, float("nan")]}]
    for name in ("parquet", "csv", "jsonl"):
        assert write(tmp_path / name, name, rows, schema).rows == {"train": 2}
    assert pq.read_table(tmp_path / "parquet/out/train-00000-of-00001.parquet")["id"].to_pylist() == ["b", "a"]
    assert lines(tmp_path / "jsonl/out/train-00000-of-00001.jsonl")[1]["vector"] == [0.5, None]
    assert '"[1.0, 2.0]"' in (tmp_path / "csv/out/train-00000-of-00001.csv").read_text()
    with pytest.raises(StageError, match="no column 'query_id', which the format triplet is made of"):
        write(tmp_path / "other", "triplet", rows, schema)


# Which rows


@pytest.mark.parametrize("name", format_names())
def test_the_order_of_stored_rows_does_not_count(tmp_path, name):
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    negatives = 1 if find_format(name).takes_negatives else None
    for number, rows in enumerate((ROWS, shuffled)):
        write(tmp_path / str(number), name, rows, negatives=negatives)
    first, second = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / number / "out").rglob("*")) if path.is_file()}
        for number in "01"
    )
    assert first == second
    assert len(first) > 1


def selected(folder: Path, **selection: Any) -> list[tuple[str, ...]]:
    write(folder, "jsonl", selection=Selection(**selection), force=True)
    rows = [row for path in sorted((folder / "out").glob("*.jsonl")) for row in lines(path)]
    return [(row["query_id"], row["positive_id"], row["negative_id"], row["strategy"]) for row in rows]


def test_a_selection_by_strategy_split_and_condition(tmp_path):
    assert selected(tmp_path, splits=("dev",)) == [("q3", "p1", "n5", "hard")]
    assert len(selected(tmp_path, strategies=("random",))) == 3
    assert selected(tmp_path, where="selected_rank = 2") == [("q1", "p1", "n2", "hard"), ("q1", "p1", "n1", "random")]
    found = selected(tmp_path, strategies=("random", "hard"), where="query ilike '%Q2%' -- a comment")
    assert found == [("q2", "p3", "n1", "random"), ("q2", "p3", "n4", "hard")]


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ({"strategies": ("hrad",)}, "no row has the strategy 'hrad'(.|\n)*did you mean 'hard'"),
        ({"splits": ("test",)}, "no row has the split 'test'"),
        ({"where": "nope = 1"}, "the rows cannot be selected(.|\n)*nope"),
        ({"where": "true) select"}, "the rows cannot be selected"),
        ({"where": "query_id in (select * from read_csv('/etc/passwd'))"}, "the rows cannot be selected"),
        ({"where": "weight > 5"}, "there is nothing to export"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused_and_writes_nothing(tmp_path, selection, words):
    with pytest.raises(HnmError, match=words):
        write(tmp_path, "parquet", selection=Selection(**selection))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["triplets.lance"]


def test_a_split_that_cannot_be_a_file_is_refused(tmp_path):
    with pytest.raises(HnmError, match="cannot be the name of a file"):
        write(tmp_path, "triplet", [triplet("q", "p", "n", split="../out")])
    with pytest.raises(HnmError, match="strategy 'a/b' cannot be the name of a file"):
        write(tmp_path, "trec", [triplet("q", "p", "n", strategy="a/b")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["triplets.lance"]


def test_splits_of_any_name_are_loaded(tmp_path):
    """`datasets` knows fewer names than there are files."""
    splits = ("train", "hold-out", "hold_out", "all", "v1.dev", "a b", "x[1]")
    write(tmp_path, "triplet", [triplet(f"q{n}", "p", "n", split=split) for n, split in enumerate(splits)])
    names = {"train", "hold_out", "hold_out_", "all_", "v1.dev", "a_b", "x_1_"}
    assert {split: rows.num_rows for split, rows in loaded(tmp_path).items()} == dict.fromkeys(names, 1)


def test_a_number_of_negatives_where_there_is_none_is_refused(tmp_path):
    with pytest.raises(QueryError, match="no number of negatives"):
        write(tmp_path, "parquet", negatives=2)

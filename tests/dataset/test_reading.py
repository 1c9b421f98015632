"""Reading a version in Python: Arrow, Polars, `datasets`, and a stream for torch."""

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from triplet_tables import ROWS, Row, triplet, version_of

from hnm.context import Settings
from hnm.dataset import torch_dataset
from hnm.dataset.examples import examples_of
from hnm.dataset.export import Export, export
from hnm.dataset.reading import Dataset
from hnm.dataset.rows import Rows
from hnm.dataset.selection import Selection
from hnm.dataset.shuffling import BLOCK_ROWS
from hnm.dataset.torch_dataset import OBJECTS_AT_ONCE, TorchDataset
from hnm.errors import HnmError, QueryError, WarehouseError

MANY = [triplet(f"q{i:05}", f"p{i % 7}", f"n{i}", split=None) for i in range(9 * OBJECTS_AT_ONCE + 100)]


def dataset(folder: Path, rows: list[Row] = ROWS, **selection: Any) -> Dataset:
    return Dataset(version_of(folder, rows), Selection(**selection), Settings(cores=1), folder / "cache")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return dataset(tmp_path_factory.mktemp("many"), random.Random(0).sample(MANY, len(MANY)))


def test_arrow_polars_and_datasets_hold_the_same_rows(tmp_path):
    shuffled = random.Random(3).sample(ROWS, len(ROWS))
    read = dataset(tmp_path, shuffled)
    table = read.arrow()
    assert (len(read), table.schema) == (8, read.schema)
    assert sorted(table.to_pylist(), key=repr) == sorted(ROWS, key=repr)
    assert table.equals(dataset(tmp_path / "other", ROWS).arrow())
    assert read.polars(["query_id", "weight"]).to_dicts() == table.select(["query_id", "weight"]).to_pylist()
    assert read.huggingface().to_list() == table.to_pylist()
    assert read.huggingface(["negative", "query"]).column_names == ["negative", "query"]
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_selection_is_all_that_is_read(tmp_path):
    read = dataset(tmp_path, strategies=("random",), splits=("train",), where="selected_rank = 1")
    assert len(read) == 2
    assert read.arrow(["negative_id"])["negative_id"].to_pylist() == ["n3", "n1"]
    assert [row["negative_id"] for row in read.torch(["negative_id"])] == ["n3", "n1"]
    assert read.huggingface().to_list() == read.arrow().to_pylist()


def test_an_empty_version(tmp_path):
    read = dataset(tmp_path, [])
    assert (len(read), read.arrow().num_rows, list(read.torch()), len(read.huggingface())) == (0, 0, [], 0)
    assert read.arrow().schema.names == read.schema.names


def test_a_column_that_is_not_there(tmp_path):
    with pytest.raises(QueryError, match=r"no column 'positve'(.|\n)*did you mean 'positive'"):
        dataset(tmp_path).arrow(["positve"])


def test_a_table_that_is_stored_in_order_is_scanned_in_one_go(tmp_path):
    ordered = sorted(MANY, key=lambda row: row["query_id"])
    rows = dataset(tmp_path, ordered).arrow()
    assert rows["query_id"].to_pylist() == [row["query_id"] for row in ordered]
    assert rows.equals(dataset(tmp_path / "other", ordered[::-1]).arrow())


def test_batches_follow_the_width_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("hnm.dataset.rows.BATCH_BYTES", 8_000_000)
    wide = [triplet(f"q{i:04}", "p", "n", negative="x" * 300_000) for i in range(300)]
    version = version_of(tmp_path, wide)
    with examples_of(version.open(), "triplets", Selection(where="query_id <> 'q0005'"), Settings()) as examples:
        sizes = [batch.num_rows for batch in examples.read(["negative"])]
    assert sum(sizes) == 299
    assert max(sizes[1:]) <= 30  # after the first one, whose width nobody knew


def test_a_narrow_column_does_not_make_batches_of_wide_ones_large(tmp_path):
    import numpy as np

    wide = [triplet(f"q{i:04}", "p", "n", negative="x" * 30_000) for i in range(400)]
    rows = Rows(version_of(tmp_path, wide).open(), "triplets", 300_000)
    sizes = []
    for part in rows.slices(np.ones(400, np.int64)):
        places = np.arange(part.start, part.stop, dtype=np.int64)
        sizes.append(rows.take(places, ["negative"]).num_rows)
        assert rows.take(places, ["query_id"]).num_rows == sizes[-1]
    assert max(sizes[1:]) <= 10  # after the first one, whose width nobody knew


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 7), max_size=20))
def test_rows_at_positions_come_in_the_order_asked_for(tmp_path_factory, wanted):
    import numpy as np

    rows = Rows(version_of(tmp_path_factory.mktemp("rows"), ROWS).open(), "triplets")
    taken = rows.take(np.array(wanted, np.int64), ["negative_id", "strategy"])
    assert taken.to_pylist() == [{name: ROWS[i][name] for name in ("negative_id", "strategy")} for i in wanted]


# torch


def names(rows: Any) -> list[str]:
    return [row["query_id"] for row in rows]


def test_a_stream_without_shuffling_is_in_the_order_of_ids(many):
    stream = many.torch(["query_id", "query"])
    assert len(stream) == len(MANY)
    assert names(stream) == sorted(row["query_id"] for row in MANY)


def test_shuffling_depends_on_seed_and_epoch_alone(many, tmp_path):
    stream = many.torch(["query_id"], shuffle=True, seed=1)
    first = names(stream)
    assert sorted(first) == sorted(row["query_id"] for row in MANY)
    assert first != sorted(first)
    assert names(stream) == names(many.torch(["query_id"], shuffle=True, seed=1)) == first
    assert names(many.torch(["query_id"], shuffle=True, seed=2)) != first
    stream.set_epoch(1)
    assert names(stream) != first
    stored_otherwise = dataset(tmp_path, MANY).torch(["query_id"], shuffle=True, seed=1)
    assert names(stored_otherwise) == first


def batches(loader: Any) -> list[str]:
    return [name for batch in loader for name in batch["query_id"]]


def test_spawned_workers_give_every_row_once_and_see_the_epoch(many):
    stream = many.torch(["query_id"], shuffle=True)
    stream.chunk_rows = 2_000  # several for each
    loader = stream.loader(batch_size=50, workers=2, persistent_workers=True)
    first = batches(loader)
    assert sorted(first) == sorted(row["query_id"] for row in MANY)
    assert batches(loader) == first
    stream.set_epoch(1)
    second = batches(loader)
    assert second != first
    assert sorted(second) == sorted(first)


def test_a_stream_larger_than_a_window_is_mixed_window_by_window(many, monkeypatch):
    monkeypatch.setattr(torch_dataset, "WINDOW_BYTES", 20_000)
    monkeypatch.setattr(torch_dataset, "LEAST_BYTES", 20_000)
    stream = many.torch(["query_id"], shuffle=True)
    window = 20_000 // stream.row_bytes
    assert 1_000 < window < len(MANY) // 4
    order = [int(name[1:]) for name in names(stream)]
    assert sorted(order) == list(range(len(MANY)))
    blocks = [len({place // BLOCK_ROWS for place in order[at : at + window]}) for at in range(0, len(order), window)]
    assert max(blocks) <= window // BLOCK_ROWS + 2
    several = batches(stream.loader(batch_size=64, workers=2))
    assert sorted(several) == sorted(row["query_id"] for row in MANY)


def test_a_loader_is_read_twice_at_the_same_time_and_again_after_a_break(many):
    loader = many.torch(["query_id", "query"], shuffle=True).loader(batch_size=64, workers=1, persistent_workers=False)
    for first, second in zip(loader, loader, strict=True):
        assert first == second
    kept = many.torch(["query_id", "query"]).loader(batch_size=64, workers=2, persistent_workers=True)
    for batch in kept:
        assert batch["query_id"][0] == "q00000"
        break
    assert sorted(batches(kept)) == sorted(row["query_id"] for row in MANY)


def test_a_table_smaller_than_a_chunk_is_shared_among_workers(tmp_path):
    stream = dataset(tmp_path).torch(["negative_id"])
    found = [batch["negative_id"] for batch in stream.loader(batch_size=1, workers=2)]
    assert len(found) == 8
    assert [name for (name,) in found] == [row["negative_id"] for row in stream]  # four of one, then four of the other


@pytest.mark.parametrize(("rows", "size", "workers"), [(7, 3, 0), (7, 3, 2), (8, 4, 2), (8, 1, 2)])
def test_a_loader_knows_how_many_batches_it_has(tmp_path, rows, size, workers):
    stream = dataset(tmp_path, MANY[:rows]).torch(["query_id", "selected_rank"])
    loader = stream.loader(batch_size=size, workers=workers)
    found = list(loader)
    assert len(loader) == len(found)
    assert [len(batch["query_id"]) for batch in found if len(batch["query_id"]) > size] == []
    whole = [batch for batch in found if len(batch["query_id"]) == size]
    assert len(stream.loader(batch_size=size, workers=workers, drop_last=True)) == len(whole)


def test_batches_are_as_default_collation_makes_them_of_rows(many):
    stream = many.torch([name for name in many.schema.names if name != "split"], shuffle=True)
    by_torch = DataLoader(stream, batch_size=300)
    for ours, theirs in zip(stream.loader(batch_size=300), by_torch, strict=True):
        assert list(ours) == list(theirs)
        for name in ours:
            if isinstance(theirs[name], torch.Tensor):
                assert ours[name].dtype == theirs[name].dtype
                assert torch.equal(ours[name], theirs[name])
            else:
                assert ours[name] == theirs[name]


def test_a_collation_of_ones_own_gets_rows(many):
    loader = many.torch(["query_id", "query"]).loader(
        batch_size=3, collate_fn=lambda rows: [tuple(row) for row in rows]
    )
    assert next(iter(loader)) == [("query_id", "query")] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_worker_is_refused_in_words(many):
    loader = DataLoader(many.torch(["query_id"]), num_workers=1, multiprocessing_context="fork")
    with pytest.raises(HnmError, match=r"a forked process cannot read Lance(.|\n)*spawn"):
        next(iter(loader))


def test_without_workers_nothing_is_spawned(many):
    assert isinstance(many.torch(["query_id"]), TorchDataset)
    loader = many.torch(["query_id"]).loader(batch_size=4)
    assert next(iter(loader)) == {"query_id": [f"q{i:05}" for i in range(4)]}
    assert torch.utils.data.get_worker_info() is None


def test_the_stream_reads_its_own_version(tmp_path):
    import lance

    read = dataset(tmp_path)
    stream = read.torch(["query_id"])
    lance.write_dataset(pa.table({"query_id": ["other"]}), str(read.version.folder), mode="overwrite")
    assert names(stream)[0] == "q3"  # dev comes before train


# Damage


def test_rows_that_were_deleted_in_place_are_not_read(tmp_path):
    import lance

    read = dataset(tmp_path)
    lance.dataset(str(read.version.folder)).delete("negative_id = 'n1'")
    newest = replace(read.version, lance_version=lance.dataset(str(read.version.folder)).version, row_count=4)
    left = Dataset(newest, Selection(where="strategy <> 'nothing'"), Settings(cores=1), tmp_path / "cache")
    assert sorted(left.arrow()["negative_id"].to_pylist()) == ["n2", "n3", "n4", "n5"]
    assert sorted(row["negative"] for row in left.torch(["negative"])) == [f"the text of n{i}" for i in (2, 3, 4, 5)]


def test_a_file_of_the_table_that_is_gone_is_said(tmp_path):
    read = dataset(tmp_path)
    for file in (read.version.folder / "data").iterdir():
        file.unlink()
    with pytest.raises(WarehouseError, match="rows of triplets cannot be read"):
        read.arrow()
    with pytest.raises(WarehouseError, match="rows of triplets cannot be read"):
        export(read.version, tmp_path / "out", Export("triplet"), "tests")
    assert not (tmp_path / "out").exists()

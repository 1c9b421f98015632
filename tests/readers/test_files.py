"""Finding and opening the files of a source, as every reader does."""

import gzip
import os
from pathlib import Path

import pytest

from hnm.errors import SourceError
from hnm.readers._options import MappedParams
from hnm.readers.jsonl import jsonl


def test_a_glob_reads_files_in_order_and_finds_duplicates_across_them(read, tmp_path):
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "2.jsonl").write_text('{"doc_id": "b", "text": "2"}\n{"doc_id": "a", "text": "2"}\n')
    (tmp_path / "days" / "1.jsonl").write_text('{"doc_id": "a", "text": "1"}\n')
    table, context = read(jsonl, table="corpus", path="days/*.jsonl", on_bad_rows="quarantine")
    assert table["text"].to_pylist() == ["1", "2"]
    assert context.bad_rows[0].reason.endswith("1.jsonl:1")
    params = MappedParams(table="corpus", path=str(tmp_path / "d*" / "*.jsonl"))
    assert jsonl.files is not None
    assert [path.name for path in jsonl.files(params, Path("/elsewhere"))] == ["1.jsonl", "2.jsonl"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("dox.jsonl", "did you mean 'docs.jsonl'"),
        ("dats/docs.jsonl", "did you mean 'data'"),
        ("data", "a folder stands where a file is wanted"),
        ("data/*.json", "no file matches"),
        ("zzz/*.json", "no such file or folder"),
        ("docs.jsonl/inner", "no such file or folder"),
        ("**.jsonl", "is no pattern"),
        ("l*.jsonl", "link.jsonl is a link to nothing"),
        ("pipe", "a pipe or device stands where a file is wanted"),
    ],
)
def test_missing_files_are_told_with_what_stands_nearby(read, tmp_path, path, expected):
    (tmp_path / "data").mkdir()
    (tmp_path / "link.jsonl").symlink_to("nowhere.jsonl")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "docs.jsonl").write_text('{"doc_id": "good", "text": "fine"}\n')
    assert jsonl.files is not None
    with pytest.raises(SourceError) as planned:
        jsonl.files(MappedParams(table="corpus", path=path), tmp_path)
    with pytest.raises(SourceError) as running:
        read(jsonl, table="corpus", path=path)
    assert expected in str(planned.value)
    assert str(planned.value) == str(running.value)
    assert planned.value.hint


@pytest.mark.parametrize("cut", [5, 40])
def test_a_cut_gzip_file_is_an_error(read, tmp_path, cut):
    whole = gzip.compress(b'{"doc_id": "a", "text": "some text that is long enough"}\n')
    (tmp_path / "docs.jsonl.gz").write_bytes(whole[:cut])
    with pytest.raises(SourceError, match="cannot read the file to its end"):
        read(jsonl, table="corpus", path="docs.jsonl.gz")

"""The API reference reader: parsing docstrings, splitting without leaks, reading packages in child processes."""

import json
import textwrap
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hnm.context import Context, SilentReporter
from hnm.errors import SourceError
from hnm.inputs import Inputs
from hnm.readers._docstrings import normal, parse, plain
from hnm.readers._known_items import Document, assign_splits, documents, near_identical, queries
from hnm.readers.api_reference import TABLES, APIReferenceParams, api_reference

SHARES = {"train": 0.6, "dev": 0.1, "test": 0.3}

# --- docstrings


@pytest.mark.parametrize(
    ("doc", "signature", "summary", "body"),
    [
        ("Sum it up.", None, "Sum it up.", ""),
        ("Sum it up", None, "Sum it up", ""),
        ("Sum it up. Then rest.\n\nMore.", None, "Sum it up.", "Then rest.\n\nMore."),
        ("Sum e.g. this up, i.e. all. Then.", None, "Sum e.g. this up, i.e. all.", "Then."),
        ("Return x.y of a\nlong line.\n\nBody", None, "Return x.y of a long line.", "Body"),
        ("abs(x, /)\n\nAbsolute value.\n\nBody", "abs(x, /)", "Absolute value.", "Body"),
        ("add(a, *, b=(1, 2)) -> Tensor\n\nAdds them.", "add(a, *, b=(1, 2))", "Adds them.", ""),
        ("D.clear() -> None.  Remove all items.", "D.clear()", "Remove all items.", ""),
        ("dict() -> new dict\ndict(m) -> another\n\nBody", "dict()", "Body", ""),
        ("Foo(length, /)\n--\n\nDType class.\n\nBody", "Foo(length, /)", "DType class.", "Body"),
        ("Point(x: int, y: int)", "Point(x: int, y: int)", None, ""),
        ("foo(x) returns its argument.", None, "foo(x) returns its argument.", ""),
        (
            ".. deprecated:: 1.2\n    Use that.\n\nDo it.\n\nBody",
            None,
            "Do it.",
            ".. deprecated:: 1.2\n    Use that.\n\nBody",
        ),
        ("=====\nTitle\n=====\n\nWhat it is.", None, "What it is.", "=====\nTitle\n====="),
        ("Title\n-----\nWhat it is.", None, "What it is.", "Title\n-----"),
        ("Parameters\n----------\nx : int", None, None, "Parameters\n----------\nx : int"),
        ("Args:\n    x: a number", None, None, "Args:\n    x: a number"),
        (">>> 1 + 1\n2", None, None, ">>> 1 + 1\n2"),
        ("- one\n- two", None, None, "- one\n- two"),
        ("One of:\n* a\n* b", None, "One of:", "* a\n* b"),
        ("stmt = Import(alias* names)\n | Pass", None, None, "stmt = Import(alias* names)\n | Pass"),
        ("See :func:`~torch.add` and ``x``.", None, "See torch.add and x.", ""),
        ("", None, None, ""),
        ("计算总和。 Ünïcode ok.", None, "计算总和。 Ünïcode ok.", ""),
    ],
)
def test_parse(doc: str, signature: str | None, summary: str | None, body: str) -> None:
    parsed = parse(doc)
    assert (parsed.signature, parsed.summary, parsed.body) == (signature, summary, body)


LINES = st.lists(
    st.one_of(
        st.text(max_size=30), st.sampled_from(["", "---", ".. note::", "    x", "f(x) -> y", "Args:", ">>> 1", "A. B"])
    ),
    max_size=8,
)


@given(LINES.map("\n".join))
def test_parse_keeps_or_drops_but_never_invents(doc: str) -> None:
    parsed = parse(doc)
    assert set(normal(parsed.body).split()) <= set(normal(doc).split())
    if parsed.summary is not None:
        assert parsed.summary == plain(parsed.summary)
        assert "\n" not in parsed.summary


def test_normal() -> None:
    assert normal("  The `Sum`,\n of it. ") == "the sum of it"


# --- documents, queries, splits


def fact(name: str, doc: str, signature: str | None = "(x)", kind: str = "function") -> dict[str, str | None]:
    return {"package": "p", "name": name, "module": "p", "kind": kind, "signature": signature, "doc": doc}


BODY = "The body says enough about itself to be found by someone."


def test_documents_with_the_same_text_are_one() -> None:
    found = documents(
        [
            fact("p.sub.f", f"Do it.\n\n{BODY}"),
            fact("p.long_module.f", f"Do it.\n\n{BODY.upper()}"),
            fact("p.b.f", f"Do it.\n\n{BODY}"),
            fact("p.a.f", f"Do it.\n\n{BODY}", "(y)"),
            fact("p.short", "Do it.\n\nToo little."),
        ],
        min_body_words=5,
    )
    assert [document.doc_id for document in found] == ["p.a.f", "p.b.f"]
    assert found[1].text == f"f(x)\n{BODY}"
    assert found[1].summary == "Do it."


def test_a_documented_signature_stands_in_and_a_long_one_is_cut() -> None:
    found = documents(
        [fact("p.c", f"c(a, b)\n\nDo it.\n\n{BODY}", None), fact("p.d", f"Do it.\n\n{BODY} Really.", f"({'x' * 900})")],
        5,
    )
    assert found[0].text.startswith("c(a, b)\nThe body")
    assert found[1].text.startswith("d(xxx") and found[1].text.partition("\n")[0].endswith("x …")
    assert len(found[1].text) < 700


def item(doc_id: str, summary: str | None, text: str = "f(x)\nbody") -> Document:
    return Document(doc_id, text, summary, "p", "function", "p")


def ask(corpus: list[Document]) -> dict[str, str]:
    made = queries(corpus, min_words=3, max_words=6, shares=SHARES, seed=0)
    assert all(query.query_id == f"summary:{query.doc_id}" for query in made)
    return {query.doc_id: query.text for query in made}


def test_queries_are_unique_sensible_summaries() -> None:
    corpus = [
        item("p.ok", "Find the item."),
        item("p.twin_a", "Sum of all items."),
        item("p.twin_b", "sum of ALL, items"),
        item("p.short", "Do it."),
        item("p.long", "one two three four five six seven"),
        item("p.none", None),
        item("p.repeats", "Say it twice here.", "f(x)\nWe say  it twice, here, again"),
    ]
    assert ask(corpus) == {"p.ok": "Find the item."}
    assert ask([]) == {}


WORDS = st.frozensets(st.sampled_from("abcdefg"), max_size=7)


@given(st.dictionaries(st.text("xyz", min_size=1, max_size=3), WORDS, max_size=12))
def test_near_identical_agrees_with_brute_force(words: dict[str, frozenset[str]]) -> None:
    found = list(near_identical(words, 0.7))
    expected = {
        (left, right)
        for left, right in combinations(sorted(words), 2)
        if words[left] & words[right] and len(words[left] & words[right]) / len(words[left] | words[right]) >= 0.7
    }
    assert set(found) == expected
    assert len(found) == len(expected)


NAMES = st.builds(".".join, st.lists(st.sampled_from(["p", "q", "Sum", "sum_", "mean", "max"]), min_size=2, max_size=3))
SUMMARIES = st.lists(st.sampled_from(["the", "sum", "mean", "of", "all", "items"]), min_size=3, max_size=8).map(
    " ".join
)


@given(st.dictionaries(NAMES, SUMMARIES, max_size=15), st.integers(0, 5))
def test_splits_do_not_leak(summaries: dict[str, str], seed: int) -> None:
    splits = assign_splits(summaries, SHARES, seed)
    assert splits.keys() == summaries.keys()
    assert splits == assign_splits(dict(reversed(summaries.items())), SHARES, seed)
    for left, right in combinations(summaries, 2):
        same_name = left.rpartition(".")[2].lower().rstrip("_") == right.rpartition(".")[2].lower().rstrip("_")
        if same_name or set(summaries[left].split()) == set(summaries[right].split()):
            assert splits[left] == splits[right]


def test_split_shares_hold_on_average() -> None:
    summaries = {f"p.f{i}": f"only{i} word{i}" for i in range(4_000)}
    splits = list(assign_splits(summaries, SHARES, 0).values())
    for split, share in SHARES.items():
        assert splits.count(split) / 4_000 == pytest.approx(share, abs=0.03)
    assert assign_splits({"p.f1": "a b"}, SHARES, 0) == {"p.f1": "test"}  # by SHA-256: the same on every machine


# --- real packages in child processes

Install = Callable[[dict[str, str]], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Write modules into a folder that child processes can import from."""
    site = tmp_path / "site"
    monkeypatch.setenv("PYTHONPATH", str(site))

    def write(files: dict[str, str]) -> None:
        for name, content in files.items():
            file = site / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(content), encoding="utf-8")

    return write


LIBRARY = {
    "shapes/__init__.py": '''
        """Shapes in the plane."""
        print("noise on standard output")
        import os, sys
        from pathlib import Path
        from shapes._core import Circle, area
        Path(__file__).with_name("imported.txt").open("a").write("x")
        def hidden(environment=os.environ, marker=object(), path=None, scale=(1, 2.5), *rest):
            """Show the hidden things of a shape.

            They are many, and they are listed here at length, so that they can be found.
            """
        def _private():
            """Never show this private function to anybody.

            It has a long body that would make a fine document, if only it were public.
            """
    ''',
    "shapes/_core.py": '''
        class _Base:
            def scale(self, factor=2):
                """Scale the shape by a factor, évidemment.

                Args:
                    factor: by how much; the shape itself is not changed, a new one is returned.
                """
        class Circle(_Base):
            """A round shape with a centre.

            All of its points have the same distance from the centre, which is called radius.
            """
            @property
            def radius(self):
                """The distance from the centre to the rim.

                It is given in the unit of the plane, and it is never negative, not even for nothing.
                """
            @classmethod
            def unit(cls):
                """Make the circle of radius one.

                Its area is pi and its circumference is twice as much, which everybody knows by heart.
                """
        def area(shape):
            """Compute how much of the plane a shape covers.

            Parameters
            ----------
            shape
                any shape at all, as long as it is closed and does not cross itself anywhere
            """
    ''',
    "shapes/plot.py": '''
        """Draw shapes on paper."""
        from shapes._core import Circle, area
        import json
    ''',
    "shapes/broken.py": "import a_package_that_nobody_has",
    "shapes/exits.py": "raise SystemExit('no')",
    "shapes/__main__.py": "raise RuntimeError('executed')",
    "shapes/tests/__init__.py": "raise RuntimeError('executed')",
}


class Notes(SilentReporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def read(root: Path, table: str, packages: tuple[str, ...], **params: object) -> tuple[pl.DataFrame, Context]:
    context = Context(stage=table, root=root, workdir=root / "work", reporter=Notes())
    settings = APIReferenceParams.model_validate(
        {"table": table, "packages": packages, "min_body_words": 8, "time_limit_seconds": 60, **params}
    )
    batches = list(api_reference(Inputs.of(), settings, context))
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(frame, pl.DataFrame)
    return frame, context


def test_a_package_becomes_three_tables(tmp_path: Path, install: Install) -> None:
    install(LIBRARY)
    corpus, context = read(tmp_path, "corpus", ("shapes",))
    texts = dict(corpus.select("doc_id", "text").iter_rows())
    assert list(texts) == [
        "shapes.Circle",
        "shapes.Circle.radius",
        "shapes.Circle.scale",
        "shapes.Circle.unit",
        "shapes.area",
        "shapes.hidden",
    ]
    assert texts["shapes.hidden"].startswith(
        "hidden(environment=..., marker=..., path=None, scale=(1, 2.5), *rest)\nThey"
    )
    assert "évidemment" not in texts["shapes.Circle.scale"]
    assert corpus["title"].equals(corpus["doc_id"].alias("title"))
    assert json.loads(corpus["metadata"][1]) == {"package": "shapes", "kind": "property", "module": "shapes._core"}
    assert context.facts["left_out"] == {}
    assert context.facts["failed_modules"] == ["shapes.broken", "shapes.exits"]

    asked, _ = read(tmp_path, "queries", ("shapes",))
    judged, _ = read(tmp_path, "judgments", ("shapes",))
    assert dict(asked.select("query_id", "text").iter_rows())["summary:shapes.Circle.scale"] == (
        "Scale the shape by a factor, évidemment."
    )
    assert judged.select("query_id", "split").equals(asked.select("query_id", "split"))
    assert judged["doc_id"].to_list() == corpus["doc_id"].to_list()
    assert set(asked["split"]) <= set(SHARES)
    assert judged.schema == {"query_id": pl.String, "doc_id": pl.String, "grade": pl.Int32, "split": pl.String}
    assert (judged["grade"] == 1).all()
    assert (tmp_path / "site" / "shapes" / "imported.txt").read_text() == "x", "one import serves all three tables"


def test_the_environment_does_not_get_into_the_tables(
    tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "a-secret-value")
    secret = {
        "leaky.py": """
            import os
            def show():
                "Show the token of this session.\\n\\n{} is what it is, and there are enough other words here as well."
            show.__doc__ = show.__doc__.format(os.environ.get("SOME_TOKEN", "nothing")) + "\\0\\udfff at 0x7f00ff"
        """
    }
    install(secret)
    corpus, _ = read(tmp_path, "corpus", ("leaky",))
    assert "nothing is what it is" in corpus["text"][0]
    assert corpus["text"][0].endswith(" as well.?")
    for file in (tmp_path / "target").rglob("*.jsonl"):
        assert "a-secret-value" not in file.read_text()


def test_what_cannot_be_read_is_left_out_and_said(tmp_path: Path, install: Install) -> None:
    install(
        {
            **LIBRARY,
            "sleeper.py": "import time; time.sleep(60)",
            "crasher.py": "import os, sys; print('last words', flush=True); os._exit(3)",
            "raiser.py": "raise ValueError('not today')",
        }
    )
    packages = ("crasher", "shapes", "sleeper", "no_such_package", "raiser")
    corpus, context = read(tmp_path, "corpus", packages, time_limit_seconds=3)
    assert corpus.height == 6
    assert isinstance(context.reporter, Notes)
    assert context.facts["left_out"] == {
        "crasher": "the child process ended with code 3: last words",
        "sleeper": "took longer than 3 s",
        "no_such_package": "ModuleNotFoundError: No module named 'no_such_package'",
        "raiser": "ValueError: not today",
    }
    assert [note.partition(" ")[0] for note in context.reporter.notes[:-1]] == list(context.facts["left_out"])
    assert context.reporter.notes[-1] == "to read them again, remove target/cache/api_reference"
    with pytest.raises(SourceError, match=r"no package could be read[\s\S]*raiser: ValueError: not today"):
        read(tmp_path, "queries", ("raiser", "no_such_package"))


def test_the_standard_library_is_read_the_same_way_each_time(tmp_path: Path) -> None:
    frames = {}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        frames[folder] = {table: read(tmp_path / folder, table, ("python",), min_body_words=30)[0] for table in TABLES}
    assert all(frames["a"][table].equals(frames["b"][table]) for table in TABLES)
    corpus, asked, judged = (frames["a"][table] for table in TABLES)
    assert corpus.height > 800
    assert asked.height > 600
    assert corpus["doc_id"].is_sorted() and corpus["doc_id"].is_unique().all()
    assert asked["text"].is_unique().all() and asked["text"].str.contains(" ").all()
    assert judged.join(corpus, on="doc_id", how="anti").is_empty()
    assert judged.join(asked, on="query_id", how="anti").is_empty()
    text = dict(asked.select("query_id", "text").iter_rows())["summary:json.dump"]
    assert text.startswith("Serialize obj as a JSON formatted stream to fp")
    assert not corpus["text"].str.contains(" at 0x").any()
    parts = corpus["doc_id"].str.split(".").explode()
    assert not parts.str.starts_with("_").any()
    assert not set(parts) & {"antigravity", "idlelib", "tkinter", "turtle", "tests", "__main__"}


def test_a_package_without_usable_docstrings_gives_empty_tables(tmp_path: Path, install: Install) -> None:
    install({"bare.py": "def f(): ..."})
    for table in TABLES:
        frame, _ = read(tmp_path, table, ("bare",))
        assert frame.is_empty()
        assert set(frame.schema.values()) <= {pl.String, pl.Int32}


def test_versions_are_part_of_the_identity() -> None:
    assert api_reference.identity is not None
    identity = api_reference.identity(APIReferenceParams(table="corpus", packages=("python", "sklearn", "no_such")))
    assert set(identity) == {"python", "extractor", "sklearn", "no_such"}
    assert identity["sklearn"][0].isdigit()
    assert identity["no_such"] == "unknown"


@pytest.mark.parametrize(
    "wrong",
    [
        {"table": "documents"},
        {"packages": []},
        {"packages": ["numpy", "numpy"]},
        {"packages": ["../numpy"]},
        {"packages": ["-c"]},
        {"packages": ["os.path"]},
        {"time_limit_seconds": 0},
        {"splits": {"train": 0.9, "dev": 0.3, "test": 0.1}},
        {"splits": {"validation": 1}},
        {"nonsense": 1},
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        APIReferenceParams.model_validate({"table": "corpus", **wrong})

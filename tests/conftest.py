"""A tiny project that runs, and models small enough to train within a test."""

import os
import sys
import tempfile
from pathlib import Path
from shutil import copytree
from string import ascii_lowercase, digits

import pytest
from tiny_project import TinyProject

# A thousand commands are started, each of which would compile all of hnm anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does: several processes share the cores
# Templates of thousands of projects are compiled: not into the cache of whoever runs the tests.
os.environ["XDG_CACHE_HOME"] = str(Path(tempfile.gettempdir()) / "hnm-tests-cache")


@pytest.fixture
def tiny(tmp_path: Path) -> TinyProject:
    """A real project in a folder of its own: a CSV source, SQL stages, a Python transform of its own, a Lance stage."""
    return TinyProject.write_to(tmp_path / "tiny")


@pytest.fixture(scope="session")
def _built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = TinyProject.write_to(tmp_path_factory.mktemp("built") / "tiny")
    assert project.run().ok
    return project.root


@pytest.fixture
def built(_built_once: Path, tmp_path: Path) -> TinyProject:
    """The same project after its first run, as a copy in a folder of its own."""
    return TinyProject(Path(copytree(_built_once, tmp_path / "tiny")))


def _save_tiny_bert(folder: Path, architecture: str) -> Path:
    import torch
    import transformers

    letters = ascii_lowercase + digits
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = transformers.BertTokenizerFast(vocab={token: i for i, token in enumerate(vocabulary)})
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        num_labels=1,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, architecture)(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random BERT with one output, 32 wide, that reads letters and digits."""
    return _save_tiny_bert(tmp_path_factory.mktemp("tiny-cross-encoder"), "BertForSequenceClassification")


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same BERT without a head."""
    return _save_tiny_bert(tmp_path_factory.mktemp("tiny-backbone"), "BertModel")

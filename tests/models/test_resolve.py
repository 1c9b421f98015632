"""From names to folders: bundled, local, and a hub (an HTTP server on this machine that speaks the hub's protocol)."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hnm.errors import ModelError
from hnm.models.bundled import BUNDLED, bundled_folder
from hnm.models.resolve import model_files, model_identity, refuse_pickles, resolve

STATIC = "wordllama-l2-supercat-256"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("name", sorted(BUNDLED))
def test_bundled_models_are_found_and_are_the_published_ones(name: str, tmp_path: Path) -> None:
    resolved = resolve(name, tmp_path)
    assert resolved.kind == "bundled"
    assert resolved.fetch() == resolved.path
    assert model_identity(name)["package"] == BUNDLED[name].package
    assert model_files(name, tmp_path) == []


def test_the_published_digest_of_minilm_is_the_pinned_one() -> None:
    digest = BUNDLED["all-MiniLM-L6-v2"].files["model.safetensors"]
    assert digest.startswith("53aa5117")
    assert digest.endswith("d9db")


def test_finding_a_bundled_model_imports_no_package() -> None:
    code = (
        "import sys, pathlib; from hnm.models.resolve import resolve\n"
        "from hnm.models.bundled import BUNDLED\n"
        "for name in BUNDLED: resolve(name, pathlib.Path()).fetch()\n"
        "heavy = {'torch', 'transformers', 'huggingface_hub'} | {m.module for m in BUNDLED.values()}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_changed_or_missing_file_of_a_bundled_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, copy = bundled_folder(STATIC), tmp_path / "wordllama"
    for file in BUNDLED[STATIC].files:
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(original / file, copy / file)
    (copy / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)  # a package of that name comes before the installed one
    assert resolve(STATIC, tmp_path).fetch() == copy
    weights, tokenizer = (copy / file for file in BUNDLED[STATIC].files)
    with weights.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\1")
    with pytest.raises(ModelError, match=r"not the published one(.|\n)*l2_supercat_256.safetensors"):
        resolve(STATIC, tmp_path).fetch()
    shutil.copy(original / "weights/l2_supercat_256.safetensors", weights)
    tokenizer.unlink()
    with pytest.raises(ModelError, match="incomplete"):
        resolve(STATIC, tmp_path).fetch()


def test_a_bundled_model_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "wordllama", None)  # how Python itself marks a module as not importable
    with pytest.raises(ModelError, match=r"pip install 'hnm\[bundled\]'"):
        resolve(STATIC, tmp_path)


def test_folders_are_relative_to_the_project_or_absolute(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert resolve("models/mine", tmp_path).path == folder
    assert resolve(str(folder), Path("/")).kind == "folder"
    assert model_files("models/mine", tmp_path) == [folder / "config.json"]
    assert model_identity("models/mine") == {}


def test_a_bundled_name_wins_over_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / STATIC).mkdir()
    assert resolve(STATIC, tmp_path).kind == "bundled"
    assert resolve(f"./{STATIC}", tmp_path).kind == "folder"


@pytest.mark.parametrize("name", ["", "no such", "../nowhere", "~nobody-at-all/x", "a\0b", "a/b/c", "x@", "/nowhere"])
def test_names_that_can_be_nothing_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not found"):
        resolve(name, tmp_path)


@pytest.mark.parametrize("name", ["model", "organisation/model", "organisation/model@v1.0", "model@refs/pr/1"])
def test_other_names_are_the_hubs(name: str, tmp_path: Path) -> None:
    assert resolve(name, tmp_path).kind == "hub"
    assert resolve(name, tmp_path).path is None


def test_pickled_weights_are_refused_in_every_part_of_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no safetensors"):
        refuse_pickles("m", tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="pickle"):
        refuse_pickles("m", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    refuse_pickles("m", tmp_path)  # both kinds are there; only the safe one is read
    (tmp_path / "2_Dense").mkdir()
    (tmp_path / "2_Dense" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="2_Dense"):
        refuse_pickles("m", tmp_path)


REPOSITORIES = {
    "organisation/safe": {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"pickle"},
    "organisation/pickled": {"config.json": b"{}", "pytorch_model.bin": b"pickle"},
    "sentence-transformers/short": {"model.safetensors": b"weights"},
}


class HubHandler(BaseHTTPRequestHandler):
    """The three requests of a download: what a model is, which files it has, and a file."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = urlsplit(self.path).path.strip("/")
        for name, files in REPOSITORIES.items():
            if path in {f"api/models/{name}{end}" for end in ("", "/revision/main", "/revision/v1")}:
                return self._send(json.dumps({"id": name, "sha": COMMIT, "siblings": []}).encode(), body)
            if path == f"api/models/{name}/tree/{COMMIT}":
                tree = [
                    {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}  # noqa: S324  # git's
                    for file, content in files.items()
                ]
                return self._send(json.dumps(tree).encode(), body)
            for file, content in files.items():
                if path == f"{name}/resolve/{COMMIT}/{file}":
                    return self._send(content, body)
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def _send(self, content: bytes, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')  # noqa: S324  # as git names a file
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), HubHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetch(name: str, endpoint: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Fetch in a process of its own, because the hub's client reads its settings when it is imported."""
    code = (
        "import sys, pathlib; from hnm.models.resolve import resolve; from hnm.errors import ModelError\n"
        "try: print(resolve(sys.argv[1], pathlib.Path('/')).fetch())\n"
        "except ModelError as error: sys.exit(str(error))"
    )
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-c", code, name]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def test_a_hubs_model_is_downloaded_without_pickles_and_then_found_offline(hub: str, tmp_path: Path) -> None:
    done = fetch("organisation/safe", hub, tmp_path)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    offline = fetch("organisation/safe", "http://127.0.0.1:9", tmp_path)
    assert offline.stdout == done.stdout, offline.stderr


def test_a_revision_can_be_named_and_short_names_mean_sentence_transformers(hub: str, tmp_path: Path) -> None:
    assert fetch("organisation/safe@v1", hub, tmp_path).returncode == 0
    assert "sentence-transformers--short" in fetch("short", hub, tmp_path).stdout


def test_a_hubs_model_with_pickles_only_is_refused(hub: str, tmp_path: Path) -> None:
    done = fetch("organisation/pickled", hub, tmp_path)
    assert "no safetensors" in done.stderr
    assert not list(tmp_path.rglob("pytorch_model.bin"))


@pytest.mark.parametrize("name", ["organisation/absent", "organisation/safe@absent"])
def test_what_the_hub_does_not_have_is_an_error_in_words(name: str, hub: str, tmp_path: Path) -> None:
    done = fetch(name, hub, tmp_path)
    assert f"model {name!r} cannot be had" in done.stderr
    assert "HF_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_hub_is_an_error_within_seconds_that_names_the_nearest_bundled_model(tmp_path: Path) -> None:
    started = time.monotonic()
    done = fetch("all-MiniLM-L6-v3", "http://127.0.0.1:9", tmp_path)
    assert "did you mean 'all-MiniLM-L6-v2'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 30

"""Pushing to a hub: the real client, against a server that speaks as much of its protocol as an upload takes."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from tiny_project import environment

REPOSITORY = "me/triplets"
PUSH = "import sys; from pathlib import Path; from hnm.dataset.hub import push; push(Path(sys.argv[1]), sys.argv[2])"


class Hub(ThreadingHTTPServer):
    """Dataset repositories by name: whether each is private, and its files."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.private: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.refuses = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        name = self.path.removeprefix("/api/datasets/").partition("/revision/")[0]
        if name not in self.server.files:
            self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        else:
            self._answer(200, {"id": name, "sha": "0" * 40, "private": self.server.private[name], "siblings": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.refuses:
            self._answer(403, {"error": "no write access"})
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.server.private[name], self.server.files[name] = asked["visibility"] == "private", {}
            self._answer(200, {"url": f"{self.server.address}/datasets/{name}", "name": name})
        elif "/preupload/" in self.path:
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        elif "/commit/" in self.path:
            kept = self.server.files[self.path.removeprefix("/api/datasets/").partition("/commit/")[0]]
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    kept[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            told = {"success": True, "commitUrl": f"{self.server.address}/{REPOSITORY}/commit/1", "commitOid": "1" * 40}
            self._answer(200, told | {"pullRequestUrl": None})
        else:
            self._answer(200, {})

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def push(hub: Hub, folder: object) -> subprocess.CompletedProcess[str]:
    told = environment() | {
        "HF_ENDPOINT": hub.address,
        "HF_TOKEN": "hf_of_nobody",
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "*",
    }
    command = [sys.executable, "-c", PUSH, str(folder), REPOSITORY]
    return subprocess.run(command, capture_output=True, text=True, env=told, check=False, timeout=120)


@pytest.fixture
def exported(tmp_path):
    folder = tmp_path / "exported"
    (folder / "train").mkdir(parents=True)
    (folder / "README.md").write_text("# A card\n")
    (folder / "train" / "rows.jsonl").write_text('{"query": "naïve"}\n')
    return folder


def test_a_repository_that_is_not_there_is_made_private_and_gets_every_file(hub, exported):
    run = push(hub, exported)
    assert run.returncode == 0, run.stderr
    assert hub.private == {REPOSITORY: True}
    assert hub.files[REPOSITORY] == {
        "README.md": b"# A card\n", "train/rows.jsonl": '{"query": "naïve"}\n'.encode(),
    }  # fmt: skip


def test_one_that_is_there_is_left_as_it_is_but_for_the_files(hub, exported):
    hub.private[REPOSITORY], hub.files[REPOSITORY] = False, {"old": b"kept"}
    assert push(hub, exported).returncode == 0
    assert hub.private == {REPOSITORY: False}
    assert set(hub.files[REPOSITORY]) == {"old", "README.md", "train/rows.jsonl"}


def test_a_refusal_is_told_and_the_folder_stays(hub, exported):
    hub.private[REPOSITORY], hub.files[REPOSITORY], hub.refuses = True, {}, True
    run = push(hub, exported)
    assert run.returncode == 1
    assert f"HnmError: cannot push to {REPOSITORY}" in run.stderr
    assert (exported / "README.md").exists()
    assert hub.files[REPOSITORY] == {}

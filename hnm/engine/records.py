"""What a run leaves on disk beside the warehouse: its log, and `target/run_results.json`."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hnm.engine.artifacts import manifest_artifact, results_artifact, write_json
from hnm.engine.failures import log_path
from hnm.engine.plan import Plan
from hnm.engine.run import Invocation, Listener, RunResult
from hnm.engine.run_log import LogFile, LogLevel, RunLog, run_log
from hnm.project.manifest import Manifest


@contextmanager
def recorded_on_disk(
    manifest: Manifest, plan: Plan, listener: Listener, invocation: Invocation, level: LogLevel
) -> Iterator[RunLog]:
    """A listener that logs the run, and from whose notes the results are written at the end, however that comes."""
    from hnm import __version__

    file = LogFile(log_path(manifest.root, invocation.id), level, manifest.secrets)
    header = (
        f"hnm {__version__} · {invocation.command} · {manifest.config.name} · target {manifest.target} · "
        f"{len(plan.entries)} stages, {len(plan.stale())} to build or check"
    )
    began = time.monotonic()
    with run_log(listener, file, header) as log:
        _write(manifest.root / "target" / "manifest.json", manifest_artifact(manifest, invocation.id), log)
        try:
            yield log
        finally:
            if log.results:  # none when the run could not start, because another one holds the warehouse
                run = RunResult(invocation.id, log.results, time.monotonic() - began)
                results = results_artifact(manifest, run, log.timeline)
                _write(manifest.root / "target" / "run_results.json", results, log)


def _write(path: Path, content: Mapping[str, Any], log: RunLog) -> None:
    try:
        write_json(path, content)
    except OSError as error:  # what was built counts more than what is told of it
        log.note(f"cannot write {path.name}: {error.strerror}")

"""Running out of memory, in a process whose address space is really limited."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hnm.errors import StageError
from hnm.training.memory import fewer, is_out_of_memory

TRANSFORM_TESTS = Path(__file__).parent.parent / "transforms"

# Without the limit, 128 groups of 8 pairs of 64 tokens take between 400 MB and 2 GB in the tiny model.
LIMITED = """
import resource, sys
from pathlib import Path
import pyarrow as pa
sys.path.insert(0, sys.argv[1])
from trainings import train, triplets

root, start, spare = Path(sys.argv[2]), Path(sys.argv[3]), 2**20 * int(sys.argv[4])
table = triplets()
train(root, start, "warm", max_steps=1)  # now all that a training loads is loaded
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + spare, -1))
rows = [
    {**table.slice(0, 1).to_pylist()[0], "query_id": f"q{i}", "negative_id": f"n{j}", "strategy": "random",
     "positive": "b c d " * 30, "negative": f"e {j} g " * 30}
    for i in range(128) for j in range(7)
]
recipe = [{"strategies": ["random"], "per_group": 7}]
log, context = train(
    root, start, "limited", table=pa.Table.from_pylist(rows), negatives=recipe, max_length=64,
    groups_per_batch=128, groups_at_once=128, max_steps=2,
)
print(context.facts["groups_at_once"], log.num_rows, context.reporter.notes[0])
"""


def test_the_next_smaller_number_divides_the_batch() -> None:
    assert [fewer(at_once, 12, "bad_alloc") for at_once in (12, 6, 5, 2)] == [6, 4, 4, 1]
    with pytest.raises(StageError, match="one group at once") as caught:
        fewer(1, 12, "bad_alloc")
    assert caught.value.why == "bad_alloc"


def test_what_counts_as_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("could not create a primitive"))  # for what oneDNN compiles
    assert not is_out_of_memory(RuntimeError("could not create a primitive descriptor for a matmul primitive"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))
    assert not is_out_of_memory(ValueError("out of memory."))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit a process's address space")
def test_a_batch_that_does_not_fit_is_trained_in_parts(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(TRANSFORM_TESTS), str(tmp_path), str(tiny_cross_encoder), "300"]
    # Threads reserve address space for arenas of their own, which is not what this is about.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    at_once, steps, note = done.stdout.strip().split(maxsplit=2)
    assert int(at_once) < 128
    assert steps == "2"
    assert note.startswith("limited: out of memory with 128 groups at once, now 64")

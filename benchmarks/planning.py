"""How long a plan of many stages takes; prints JSON.

    python benchmarks/planning.py [--stages 1000]

A project of SQL stages, each over the two before it, of which the first ten are built. Seconds are of `hnm plan` as a
whole process, and within it of reading the project and of planning.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hnm.api import Project


def write(root: Path, stages: int) -> None:
    (root / "sql").mkdir()
    (root / "pipelines").mkdir()
    (root / "project.yml").write_text("name: wide\n")
    names = [f"stage_{number:05}" for number in range(stages)]
    (root / "pipelines/all.yml").write_text("stages:\n" + "".join(f"  - name: {name}\n" for name in names))
    for number, name in enumerate(names):
        above = names[max(0, number - 2) : number]
        reads = " union all ".join(f"select n from {{{{ ref('{other}') }}}}" for other in above) or "select 1 as n"
        (root / f"sql/{name}.sql").write_text(f"select max(n) as n from ({reads})\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        write(root, options.stages)
        project = Project.load(root)
        assert project.run(project.plan([f"stage_{number:05}" for number in range(10)])).ok
        began = time.perf_counter()
        hnm = Path(sys.executable).with_name("hnm")
        subprocess.run([hnm, "plan", "--project", root], check=True, capture_output=True)
        whole = time.perf_counter() - began
        began = time.perf_counter()
        project = Project.load(root)
        loaded = time.perf_counter()
        plan = project.plan()
        planned = time.perf_counter()
        assert len(plan.stale()) == options.stages - 10
    told = {"stages": options.stages, "process": whole, "load": loaded - began, "plan": planned - loaded}
    print(json.dumps({name: round(value, 3) for name, value in told.items()}))


if __name__ == "__main__":
    main()

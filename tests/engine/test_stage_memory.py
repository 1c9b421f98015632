"""A stage's memory is bounded by the setting, and not by its table: also while it is published."""

import subprocess
import sys

from tiny_project import TinyProject, environment

# By how many MB a large table raises the peak of the process above that of one row, and the peak on record.
PEAK = """
import resource, sys
from hnm.api import Project

def run(rows):
    project = Project.load(sys.argv[1], None, {"rows": rows})
    result = project.run(project.plan())
    assert result.ok, result.results[0].error
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

small = run(1)
print(run(300_000) - small)
print(Project.load(sys.argv[1]).query("select max(peak_memory_mb) as peak from _hnm.run_stages").to_pylist()[0]["peak"])
"""


def test_a_table_larger_than_the_limit_is_published_within_it(tiny: TinyProject) -> None:
    tiny.write("project.yml", "name: tiny\nsettings: {memory_limit: 150MB, cores: 1}")
    # 1.2 kB a row that do not compress: 370 MB.
    words = " || ".join(f"md5(concat(i, ' {part}'))" for part in range(38))
    tiny.stages("stages: [{name: wide}]", wide=f"select {words} as text from range({{{{ var('rows', 1) }}}}) as t(i)")
    script = tiny.write("peak.py", PEAK)  # a file: DuckDB draws progress bars for what it takes for a prompt
    command = [sys.executable, str(script), str(tiny.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    grown, recorded = map(float, done.stdout.split())
    assert grown < 350
    assert recorded > grown

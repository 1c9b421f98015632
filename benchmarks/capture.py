"""Draw what a command shows on a terminal, as an SVG picture.

python benchmarks/capture.py FILE.svg [--width 80] [--lines 40] -- hnm summary
"""

import argparse
import os
import subprocess
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--width", type=int, default=80)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    env = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(options.width)}
    shown = subprocess.run(
        options.command, env=env, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ).stdout
    lines = [f"$ {' '.join(options.command)}", *shown.strip("\n").splitlines()[: options.lines]]
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=options.width, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi("\n".join(lines)))
        options.file.write_text(console.export_svg(title=options.command[0]), encoding="utf-8")


if __name__ == "__main__":
    main()

"""What a command costs, as a small process sees it that does nothing else.

    python -m benchmarks.measured FILE COMMAND...

Linux counts in the peak memory of a process that of whoever started it: a benchmark that has imported torch would find
200 MB in every child. So it starts this module, which imports next to nothing, and reads from FILE what that found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict


class Cost(TypedDict):
    """What one process took, from its start to its exit."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    """largest resident set"""


def measured(command: Sequence[str]) -> tuple[Cost, str]:
    """Cost and output of a command, run with one thread; raises SystemExit with all it said where it fails."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cost.json"
        starter = [sys.executable, "-m", "benchmarks.measured", str(file), *command]
        root = Path(__file__).resolve().parent.parent
        done = subprocess.run(starter, env=environment, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        cost: Cost = json.loads(file.read_text())
    return cost, done.stdout


def main() -> int:
    file, *command = sys.argv[1:]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)  # else Popen warns that nobody asked for it
    cost: Cost = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }
    Path(file).write_text(json.dumps(cost))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())

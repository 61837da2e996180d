"""Seconds and memory of a whole run against the number of points: one built-in room each, one worker, one thread.

    python benchmarks/scale.py [50000 200000 1000000 2000000]

Each size runs as the command itself in a process of its own; seconds are wall clock from start to exit, memory is the
largest resident set of that process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("boxgp")
POINTS = (50_000, 200_000, 1_000_000, 2_000_000)
STAGES = ("scenes", "superpoints", "features", "posteriors", "pseudo_labels", "evaluation")


def run(points: int, output: Path) -> tuple[float, float, dict[str, float], int]:
    """Seconds, GiB, seconds a stage and number of regions of one run."""
    command = [str(COMMAND), "run", "demo", "--output", str(output)]
    command += ["--set", "scenes.count=1", "--set", f"scenes.points={points}"]
    start = time.perf_counter()
    with output.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise SystemExit(output.with_suffix(".log").read_text())
    manifests = [json.loads(path.read_text()) for path in output.rglob("manifest.json")]
    stages = {manifest["stage"]: float(manifest["seconds"]) for manifest in manifests}
    regions = next(int(m["statistics"]["regions"]) for m in manifests if m["stage"] == "superpoints")
    # each task resets the process's own mark, so the largest of all marks counts
    peak = max(usage.ru_maxrss * 2**10, *(m["peak_memory_bytes"] for m in manifests))
    return seconds, peak / 2**30, stages, regions


def main() -> None:
    sizes = [int(argument) for argument in sys.argv[1:]] or POINTS
    print("| points | regions | seconds | " + " | ".join(STAGES) + " | peak memory |")
    print("|---:" * (len(STAGES) + 4) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for points in sizes:
            seconds, memory, stages, regions = run(points, Path(folder) / str(points))
            per_stage = " | ".join(f"{stages[name]:.1f}" for name in STAGES)
            print(f"| {points:,} | {regions:,} | {seconds:.1f} | {per_stage} | {memory:.2f} GiB |", flush=True)


if __name__ == "__main__":
    main()

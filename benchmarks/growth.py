"""Seconds and memory of a whole run against points, regions and pairs, and how fast they grow.

    python -m benchmarks.growth [--quick] [--json FILE]

One built-in room, one process, one thread. `finer`: the same room with more points. `larger`: rooms of more furniture
with the same number of points per square metre of floor, so that boxes grow with points. `pairs`: the rooms of `larger`
with one Gaussian Process a pair, which the default does not have. Each size runs as the command
itself in a process of its own; seconds are wall clock from start to exit, CPU seconds those of that process, memory is
its largest resident set. Exponents are slopes of least squares in log-log, without the rooms below FIT_FROM points,
where start-up and imports rule.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rendering import TO_LABELS
from benchmarks.runs import STAGES, about, manifests, run
from benchmarks.tables import write_json
from benchmarks.workload import Load

FINER = (50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000)
LARGER = (3.0, 5.0, 7.0, 10.0, 14.0, 20.0)
"""side of the floor, metres"""
QUICK = 4
"""sizes of a quick run: the smallest"""
POINTS_PER_SQUARE_METRE = 5000
FIT_FROM = 200_000
COSTS = ("seconds", "cpu_seconds", "labelling_seconds", "peak_bytes")
WARM_UP = 5000
"""points of a first room that is not counted: what is compiled on first use is then on disk"""
AXES = ("points", "regions", "boxes", "pairs")
PAIRS = "posteriors.engine=laplace"
"""one Gaussian Process a pair; the default has one for all boxes"""


def finer(points: int) -> list[str]:
    """Settings of the same room with more points."""
    return [f"scenes.points={points}"]


def larger(side: float) -> list[str]:
    """Settings of a square room of this side."""
    points = round(POINTS_PER_SQUARE_METRE * side**2)
    return [f"scenes.points={points}", f"scenes.minimum_side={side}", f"scenes.maximum_side={side}"]


def measure(settings: Sequence[str]) -> dict[str, Any]:
    """One run: sizes, seconds in all and by stage, peak memory."""
    room = Load("one room", ("scenes.count=1", *settings))
    with tempfile.TemporaryDirectory() as folder:
        ended = run("demo", room, [], Path(folder) / "run")
        found = {manifest["stage"]: manifest for manifest in manifests(Path(folder) / "run")}
    return {
        "points": int(found["scenes"]["statistics"]["points"]),
        "boxes": int(found["scenes"]["statistics"]["boxes"]),
        "regions": int(found["superpoints"]["statistics"]["regions"]),
        "pairs": int(found["posteriors"]["statistics"]["pairs"]),
        "seconds": ended.seconds,
        "cpu_seconds": ended.cpu_seconds,
        "labelling_seconds": sum(float(found[stage]["seconds"]) for stage in TO_LABELS),
        "stages": {stage: float(found[stage]["seconds"]) for stage in STAGES},
        # each task resets the process's own mark, so the largest of all marks counts
        "peak_bytes": max(ended.peak_bytes, *(manifest["peak_memory_bytes"] for manifest in found.values())),
    }


def exponent(size: Sequence[float], cost: Sequence[float]) -> float | None:
    """Slope b of log cost = a + b log size by least squares; None without two different sizes above 0."""
    known = [(x, y) for x, y in zip(size, cost, strict=True) if x > 0 and y > 0]
    if len({x for x, _ in known}) < 2:
        return None
    logarithms = np.log(np.array(known))
    return float(np.polyfit(logarithms[:, 0], logarithms[:, 1], 1)[0])


def exponents(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Exponents of every cost against each of AXES, over the rooms of at least FIT_FROM points."""
    large = [row for row in rows if row["points"] >= FIT_FROM]
    costs = {name: [row[name] for row in large] for name in COSTS}
    costs |= {stage: [row["stages"][stage] for row in large] for stage in STAGES}
    return {axis: {name: exponent([row[axis] for row in large], cost) for name, cost in costs.items()} for axis in AXES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"the {QUICK} smallest sizes of each series")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    count = QUICK if chosen.quick else None
    series = {"finer": [finer(points) for points in FINER[:count]], "larger": [larger(side) for side in LARGER[:count]]}
    series["pairs"] = [[*settings, PAIRS] for settings in series["larger"]]
    content: dict[str, Any] = {**about(chosen.quick), "fit_from": FIT_FROM}
    measure(finer(WARM_UP))
    for name, all_settings in series.items():
        rows = []
        for settings in all_settings:
            rows.append(measure(settings))
            print(f"{name}: {rows[-1]}", file=sys.stderr, flush=True)
        content[name] = {"rows": rows, "exponents": exponents(rows)}
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()

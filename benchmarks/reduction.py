"""What it costs to learn from the nearest determined regions alone (``posteriors.maximum_determined``).

    python -m benchmarks.reduction [--real FOLDER] [--rooms N] [--points N] [--limits 50,100] [--quick] [--json FILE]

One Gaussian Process a pair (`laplace`, fixed scales), with at most so many determined regions on each side, against all
of them: probabilities of the contested entries of all pairs, the owners of contested points after fusion, seconds.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rendering_engines import reduction
from benchmarks.runs import about, arguments
from benchmarks.scene_labels import Answers, Problems, agreement, answers_of_pairs, problems_of
from benchmarks.tables import Seconds, timed, write_json
from benchmarks.workload import Load, Partitioned, folder_load, mesh_free, partition, rooms_load
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.typing import Float32

LIMITS = (50, 100, 200, 400, 800)
ALL = 2**31
REAL_SCANS = 3
ENGINE = LaplaceEngine(learn=False)


def limited(partitioned: Partitioned, problems: Problems, limit: int) -> Problems:
    """The same scenes with at most ``limit`` determined regions on each side of a pair."""
    config = partitioned.posteriors.model_copy(update={"maximum_determined": limit})
    pairs = [one.pairs(scan.features, config) for one, scan in zip(problems.prepared, partitioned.scans, strict=True)]
    return replace(problems, pairs=pairs)


def solved(
    partitioned: Partitioned, problems: Problems, limit: int
) -> tuple[int, Float32[np.ndarray, " R"], Answers, Seconds]:
    """Determined regions of the largest problem, probabilities of all entries, labels, and seconds of the posteriors.

    Seconds are those of building and solving the problems, for all scenes.
    """
    with timed() as seconds:
        reduced = limited(partitioned, problems, limit)
        solutions = [ENGINE.solve(scene) for scene in reduced.scenes]
    largest = max(len(problem.feature) for scene in reduced.scenes for problem in scene)
    probability = np.concatenate([solution.probability for scene in solutions for solution in scene])
    return largest, probability, answers_of_pairs(partitioned, reduced, ENGINE.link, solutions), seconds


def measure(load: Load, limits: Sequence[int]) -> list[dict[str, Any]]:
    """One row a limit, all regions first."""
    with tempfile.TemporaryDirectory() as folder:
        found = partition(load, "folder", Path(folder) / "run")
    partitioned = replace(found, posteriors=found.posteriors.model_copy(update={"engine": "laplace"}))
    problems = problems_of(partitioned)
    ENGINE.solve(problems.scenes[0][:1])  # the first call is slower
    rows: list[dict[str, Any]] = []
    reference = solved(partitioned, problems, ALL)
    for limit in (ALL, *limits):
        largest, probability, answers, seconds = reference if limit == ALL else solved(partitioned, problems, limit)
        difference = np.abs(probability - reference[1])
        changed = 1.0 - agreement(partitioned.scans, problems.contested(), answers, reference[2])
        rows.append(
            {
                "limit": None if limit == ALL else limit,
                "largest": largest,
                "entries": len(probability),
                "maximum_difference": float(difference.max()),
                "mean_difference": float(difference.mean()),
                "owner_changes": changed,
                "ap": answers.ap,
                "seconds": seconds.wall,
                "cpu_seconds": seconds.cpu,
            }
        )
    return rows


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    parser = arguments(__doc__)
    parser.add_argument("--limits", default=",".join(map(str, LIMITS)), help="with commas between; all is always there")
    parser.set_defaults(rooms=2, points=300_000)
    chosen = parser.parse_args()
    limits = [int(limit) for limit in chosen.limits.split(",")]
    chosen_loads = [rooms_load(1 if chosen.quick else chosen.rooms, chosen.points)] if chosen.rooms else []
    if chosen.real:
        names = chosen.scenes or ",".join(mesh_free(chosen.real).split(",")[:REAL_SCANS])
        chosen_loads.insert(0, folder_load("real scans", chosen.real, names))
    content: dict[str, Any] = about(chosen.quick)
    for load in chosen_loads:
        content[load.name] = measure(load, limits)
    print(reduction(content))
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()

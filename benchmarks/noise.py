"""What inexact and missing boxes cost (GaPro, table 10): label AP and calibration under noise of the annotation.

    python -m benchmarks.noise [--real FOLDER] [--seeds 0,1,2] [--quick] [--json FILE]

Every condition under the default and under `paper`; the smallest box is the reference rule of the same runs. Where
boxes are dropped, quality is that of the boxes that are left. The run's seed draws the noise; on real scans only noise
differs between seeds, but built-in rooms are other rooms under another seed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.runs import about, arguments, figures, loads, run
from benchmarks.tables import write_json
from benchmarks.workload import Load

FULL = "boxes of the full scans"
CONDITIONS: dict[str, dict[str, float]] = {
    "exact": {},
    FULL: {},
    "scale ± 5 %": {"scale": 0.05},
    "shift ± 5 %": {"shift": 0.05},
    "scale and shift ± 5 %": {"scale": 0.05, "shift": 0.05},
    "corners 2 cm": {"corner": 0.02},
    "corners 5 cm": {"corner": 0.05},
    "corners 10 cm": {"corner": 0.10},
    "corners 10 % of the side": {"corner_relative": 0.10},
    "corners 20 % of the side": {"corner_relative": 0.20},
    "5 % dropped": {"drop": 0.05},
    "10 % dropped": {"drop": 0.10},
    "20 % dropped": {"drop": 0.20},
    "40 % dropped": {"drop": 0.40},
    "80 % dropped": {"drop": 0.80},
}
"""Options of scenes.noise; FULL is another key of the boxes, which only the real scans have."""
KEPT = ("scenes", "labels", "smallest_box", "calibration")
"""Figures that are written: the others fill hundreds of kilobytes."""
CONFIGURATIONS = {"default": "folder", "paper": "paper"}


def settings_of(condition: str) -> list[str]:
    """Settings of the command."""
    box_key = ["scenes.box_key=full_boxes"] if condition == FULL else []
    return box_key + [f"scenes.noise.{name}={amount}" for name, amount in CONDITIONS[condition].items()]


def measure(load: Load, condition: str, seeds: Sequence[int], workers: int) -> dict[str, list[dict[str, Any]]]:
    """Figures of each configuration, one for each seed."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CONFIGURATIONS}
    for seed in seeds:
        settings = [*settings_of(condition), f"seed={seed}"]
        with tempfile.TemporaryDirectory() as folder:
            for name, configuration in CONFIGURATIONS.items():
                run(configuration, load, settings, Path(folder) / "run", workers)
                all_figures = figures(Path(folder) / "run")
                found[name].append({"seed": seed, **{key: all_figures[key] for key in KEPT}})
    return found


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seeds", default="0,1,2", help="seeds with commas between; --quick: the first alone")
    parser.add_argument("--conditions", default=",".join(CONDITIONS), help="which conditions; no comma is in a name")
    parser.set_defaults(rooms=2)
    chosen = parser.parse_args()
    seeds = [int(seed) for seed in chosen.seeds.split(",")][: 1 if chosen.quick else None]
    content: dict[str, Any] = {**about(chosen.quick), "seeds": seeds}
    for kind, load in loads(chosen).items():
        content[kind] = {}
        for condition in chosen.conditions.split(","):
            if condition == FULL and kind != "real":
                continue
            # nothing is drawn at random where real scans keep their boxes
            drawn = seeds if CONDITIONS[condition] or kind == "rooms" else seeds[:1]
            content[kind][condition] = measure(load, condition, drawn, chosen.workers)
            ap = [one["labels"]["ap"] for one in content[kind][condition]["default"]]
            print(f"{load.name}: {condition}: label AP {ap}", file=sys.stderr, flush=True)
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()

"""Label quality and cost of every way to decide contested regions, side by side in one run.

    python -m benchmarks.ablations [--real FOLDER] [--tables labels,handling,...] [--quick] [--json FILE]

On real scans without a mesh (BOXGP_REAL_SCANS) and on built-in rooms. Each way is a run of the command with other
settings; ways that share their regions share one output folder, so that regions are made once.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.runs import about, arguments, figures, loads, run
from benchmarks.tables import write_json
from benchmarks.workload import Load

Way = tuple[str, list[str]]
"""Built-in configuration and what is set differently."""

PLAIN = ["posteriors.evidence=[]", "posteriors.learn=true", "features.columns=[position, color]"]
"""What a pair's Gaussian Process is in the published text: prior mean 0, learnt scales, position and colour."""
POINTS = ["superpoints.method=singletons", "posteriors.maximum_determined=800"]
LAPLACE = ["posteriors.engine=laplace"]


def columns(*names: str) -> str:
    """The setting that chooses features."""
    return f"features.columns=[{', '.join(names)}]"


def _as_named(*names: str) -> dict[str, str]:
    return {name: name for name in names}


WAYS: dict[str, Way] = {
    "default": ("folder", []),
    "none": ("folder", ["posteriors.engine=none"]),
    "smallest box, points": ("folder", [*POINTS, "posteriors.engine=smallest_box"]),
    "smallest box, regions": ("folder", ["posteriors.engine=smallest_box"]),
    "nearest centre, regions": ("folder", ["posteriors.engine=nearest_center"]),
    "linear classifier, points": ("folder", [*POINTS, *PLAIN, "posteriors.engine=linear"]),
    "GP regression, regions": ("folder", [*PLAIN, "posteriors.engine=regression"]),
    "GP classification, regions": ("folder", [*PLAIN, "posteriors.engine=variational"]),
    "`paper`, none": ("paper", ["posteriors.engine=none"]),
    "`paper`, smallest box": ("paper", ["posteriors.engine=smallest_box"]),
    "`paper`, GP regression": ("paper", ["posteriors.engine=regression"]),
    "`paper`": ("paper", []),
    "truth of the regions (ceiling)": ("folder", ["posteriors.engine=truth"]),
    # fixed or learnt scales
    "GP classification, fixed": ("folder", [*PLAIN, "posteriors.engine=variational", "posteriors.learn=false"]),
    "GP regression, fixed": ("folder", [*PLAIN, "posteriors.engine=regression", "posteriors.learn=false"]),
    "a GP a pair (laplace)": ("folder", LAPLACE),
    "a GP a pair (laplace), learnt": ("folder", [*LAPLACE, "posteriors.learn=true"]),
    "`paper`, fixed": ("paper", ["posteriors.learn=false"]),
    # features
    "GP classification, position": (
        "folder",
        [*PLAIN, "posteriors.engine=variational", columns("position")],
    ),
    "GP classification, position and normal": (
        "folder",
        [*PLAIN, "posteriors.engine=variational", columns("position", "normal")],
    ),
    "GP classification, position, colour, normal": (
        "folder",
        [*PLAIN, "posteriors.engine=variational", columns("position", "color", "normal")],
    ),
    "a GP a pair (laplace), position": ("folder", [*LAPLACE, columns("position")]),
    "a GP a pair (laplace), position and normal": ("folder", [*LAPLACE, columns("position", "normal")]),
    "a GP a pair (laplace), position and colour": ("folder", [*LAPLACE, columns("position", "color")]),
    # points in place of regions; the variational engine takes over five minutes for the points of one scan
    "GP classification (laplace), points": ("folder", [*POINTS, *PLAIN, *LAPLACE]),
    "GP classification (laplace), regions": ("folder", [*PLAIN, *LAPLACE]),
    "GP regression, points": ("folder", [*POINTS, *PLAIN, "posteriors.engine=regression"]),
    # one thing left out of the default; there is no option that leaves out the volumes of boxes in the prior, or the
    # normals or the colours in the affinity of regions
    "prior alone (no graph)": ("folder", ["posteriors.engine=prior"]),
    "without face seeds": ("folder", ["posteriors.faces=plain"]),
    "default, observing pairs": ("folder", ["posteriors.observations=pairs"]),
    "without straddling": ("folder", ["posteriors.evidence=[floor, facing]"]),
    "without floor": ("folder", ["posteriors.evidence=[straddling, facing]"]),
    "without facing": ("folder", ["posteriors.evidence=[straddling, floor]"]),
    "without any evidence": ("folder", ["posteriors.evidence=[]"]),
    "without the split by boxes": ("folder", ["superpoints.split_by_boxes=never"]),
}
"""Every way by its name in the tables."""

TABLES: dict[str, dict[str, str]] = {
    "labels": _as_named(
        "default",
        "default, observing pairs",
        "without face seeds",
        "a GP a pair (laplace)",
        "smallest box, points",
        "linear classifier, points",
        "GP classification, regions",
        "`paper`",
        "truth of the regions (ceiling)",
    ),
    "handling": _as_named(
        "none",
        "smallest box, points",
        "smallest box, regions",
        "nearest centre, regions",
        "linear classifier, points",
        "GP regression, regions",
        "GP classification, regions",
        "`paper`, none",
        "`paper`, smallest box",
        "`paper`, GP regression",
        "`paper`",
        "default",
        "truth of the regions (ceiling)",
    ),
    "scales": {
        "GP classification, fixed": "GP classification, fixed",
        "GP classification, learnt": "GP classification, regions",
        "GP regression, fixed": "GP regression, fixed",
        "GP regression, learnt": "GP regression, regions",
        "`paper`, fixed": "`paper`, fixed",
        "`paper`, learnt": "`paper`",
        "a GP a pair (laplace) with evidence, fixed": "a GP a pair (laplace)",
        "a GP a pair (laplace) with evidence, learnt": "a GP a pair (laplace), learnt",
    },
    "features": {
        "GP classification, position": "GP classification, position",
        "GP classification, position and normal": "GP classification, position and normal",
        "GP classification, position and colour": "GP classification, regions",
        "GP classification, position, colour, normal": "GP classification, position, colour, normal",
        "a GP a pair (laplace) with evidence, position": "a GP a pair (laplace), position",
        "a GP a pair (laplace) with evidence, position and normal": "a GP a pair (laplace), position and normal",
        "a GP a pair (laplace) with evidence, position and colour": "a GP a pair (laplace), position and colour",
        "a GP a pair (laplace) with evidence, position, colour, normal": "a GP a pair (laplace)",
    },
    "points": _as_named(
        "smallest box, points",
        "smallest box, regions",
        "GP regression, points",
        "GP regression, regions",
        "GP classification (laplace), points",
        "GP classification (laplace), regions",
    ),
    "leave_one_out": _as_named(
        "default",
        "prior alone (no graph)",
        "a GP a pair (laplace)",
        "without face seeds",
        "without straddling",
        "without floor",
        "without facing",
        "without any evidence",
        "without the split by boxes",
    ),
}
"""Rows of each table: what they are called there, and which way they are."""
FEW = ("points",)
"""Tables on a few scenes alone, since a posterior over points takes minutes a scene."""
FEW_REAL, FEW_ROOMS = 3, 2


def few(load: Load, kind: str) -> Load:
    """The load of the tables in FEW."""
    if kind == "rooms":
        settings = tuple(one for one in load.settings if not one.startswith("scenes.count="))
        return replace(load, settings=(*settings, f"scenes.count={FEW_ROOMS}"))
    # one scan a room first: scans of one room look alike
    names = (load.scenes or "").split(",")
    names.sort(key=lambda name: (name.rpartition("_")[2], name))
    return replace(load, scenes=",".join(names[:FEW_REAL]))


def folder_of(way: Way) -> str:
    """Name of the output folder: the same for ways that agree on what regions are made from."""
    configuration, settings = way
    return "-".join([configuration, *(one for one in settings if one.startswith("superpoints."))])


def measure(load: Load, names: Sequence[str], output: Path, workers: int) -> dict[str, Any]:
    """Figures of each way on one load."""
    found = {}
    for name in sorted(names, key=lambda name: folder_of(WAYS[name])):
        configuration, settings = WAYS[name]
        folder = output / folder_of(WAYS[name])
        spent = run(configuration, load, settings, folder, workers)
        found[name] = figures(folder)
        ap = found[name]["labels"]["ap"]
        print(f"{load.name}: {name}: label AP {ap:.3f}, {spent.seconds:.0f} s", file=sys.stderr, flush=True)
    return {name: found[name] for name in names}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--tables", default=",".join(TABLES), help="which tables")
    chosen = parser.parse_args()
    tables = chosen.tables.split(",")
    many, restricted = (
        list(dict.fromkeys(way for table in tables if (table in FEW) is is_few for way in TABLES[table].values()))
        for is_few in (False, True)
    )
    content = about(chosen.quick)
    for kind, load in loads(chosen).items():
        with tempfile.TemporaryDirectory() as folder:
            if many:
                content[kind] = measure(load, many, Path(folder), chosen.workers)
            # quick runs leave out posteriors over points: minutes a scene
            if restricted and not chosen.quick:
                content[f"few_{kind}"] = measure(few(load, kind), restricted, Path(folder), chosen.workers)
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()

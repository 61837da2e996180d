"""What regions allow and what labels make of it: oracle AP and label AP of partitions, by kind of input.

    python -m benchmarks.partitions [--real FOLDER] [--rooms N] [--quick] [--json FILE]

On real scans without a mesh, on built-in rooms, and on the real scans that have a mesh (with ScanNet's own segments as
well, which contain the answer: the annotation was drawn on them).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rendering import provenance, with_notes
from benchmarks.runs import about, arguments, figures, loads, run
from benchmarks.tables import number, table, write_json
from benchmarks.workload import folder_load

Partition = tuple[str, ...]
"""Settings of the superpoints stage."""


def of_points(split: str, smallest: int) -> Partition:
    """Regions from nearest neighbours."""
    return ("superpoints.method=points", f"superpoints.split_by_boxes={split}", f"superpoints.minimum_size={smallest}")


def of_mesh(split: str, smallest: int) -> Partition:
    """Regions from mesh edges and mesh normals."""
    return ("superpoints.method=mesh", *of_points(split, smallest)[1:])


POINTS: dict[str, Partition] = {
    "points, split by boxes, smallest region 5 (default)": of_points("always", 5),
    "points, split, 2": of_points("always", 2),
    "points, split, 10": of_points("always", 10),
    "points, split, 20": of_points("always", 20),
    "points, not split, 5": of_points("never", 5),
    "points, not split, 20": of_points("never", 20),
    "points, split, 5, colour in the weight": (*of_points("always", 5), "superpoints.weight=both"),
}
MESH: dict[str, Partition] = {
    "mesh, not split, smallest region 20 (default)": of_mesh("never", 20),
    "mesh, not split, 5": of_mesh("never", 5),
    "mesh, not split, 10": of_mesh("never", 10),
    "mesh, split by boxes, 20": of_mesh("always", 20),
    "mesh, split, 5": of_mesh("always", 5),
    "points, split, 5": of_points("always", 5),
    "ScanNet's own segments": ("superpoints.method=given",),
}
TITLES = {
    "real": "real scans without a mesh",
    "rooms": "built-in rooms",
    "mesh": "real scans with a mesh and ScanNet's segments",
}


def with_mesh(folder: Path) -> str:
    """Ids of the .npz scans in a folder that have a mesh and a partition of their own, with commas between."""
    names = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            if {"faces", "superpoint"} <= set(arrays.files):
                names.append(path.stem)
    return ",".join(names)


def rendered(content: Mapping[str, Any]) -> str:
    """One table a kind of input."""
    parts = []
    for kind in (kind for kind in TITLES if kind in content):
        rows = [
            [
                name,
                f"{found['regions']:,.0f}",
                *(number(found[of]["ap"]) for of in ("oracle", "labels")),
                number(found["labels"]["mean_iou"]),
            ]
            for name, found in content[kind].items()
        ]
        first = next(iter(content[kind].values()))
        header = ["regions of", "regions a scan", "oracle AP", "label AP", "mean IoU"]
        objects = f"{first['labels']['objects']:,} objects"
        parts.append(f"{first['scenes']} {TITLES[kind]}, {objects}:\n\n{table(header, rows)}")
    return with_notes("\n\n".join(parts), [provenance(content)])


def main() -> None:
    chosen = arguments(__doc__).parse_args()
    content = about(chosen.quick)
    measured = {kind: (load, POINTS) for kind, load in loads(chosen).items()}
    if chosen.real and (names := with_mesh(chosen.real)):
        measured["mesh"] = (folder_load(TITLES["mesh"], chosen.real, names), MESH)
    for kind, (load, partitions) in measured.items():
        content[kind] = {}
        for name, settings in list(partitions.items())[: 2 if chosen.quick else None]:
            with tempfile.TemporaryDirectory() as folder:
                run("folder", load, settings, Path(folder) / "run", chosen.workers)
                content[kind][name] = figures(Path(folder) / "run")
            print(f"{load.name}: {name}: {content[kind][name]['labels']['ap']:.3f}", file=sys.stderr, flush=True)
    print(rendered(content))
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()

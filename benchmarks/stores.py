"""Ways to lay results of many scenes on disk: seconds, files and bytes a scene.

    python -m benchmarks.stores [--scenes N] [--quick] [--json FILE]

Pseudo-labels and superpoints of rooms of 50,000 points, 1,500 regions and 20 boxes are written, read and replaced as

- a folder of zarr a result: zarr's LocalStore, a manifest beside it, and one rename;
- a zip a result: the store of boxgp (``pipeline/store.py``), the same manifest and rename;
- one ragged array a data set: all scenes of an array one after the other, in shards. One process has to write it.

All with the same compression. Replacing means: the same scene again with other values.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rendering import provenance, with_notes
from benchmarks.runs import about
from benchmarks.store_layouts import LAYOUTS, Layout, Scene
from benchmarks.tables import number, table, timed, write_json
from stages.pseudo_labels.labels import PseudoLabels
from stages.pseudo_labels.store import labels_result
from stages.stores import superpoints_result
from stages.structures import Boxes, Superpoints, Surface

SCENES, QUICK = 300, 20
POINTS, REGIONS, BOXES = 50_000, 1_500, 20
CONTESTED = 0.2
"""share of regions with a posterior"""
NEIGHBOURS = 6
REPLACED = 10


def scene(seed: int) -> Scene:
    """Results that compress as real ones do: regions are runs of points, most regions are determined."""
    generator = np.random.default_rng(seed)
    region = np.sort(generator.integers(0, REGIONS, POINTS)).astype(np.int32)
    return {
        "superpoints": superpoints_result(_superpoints(generator, region)),
        "pseudo_labels": labels_result(_labels(generator, region, f"scene_{seed:06d}")),
    }


def _superpoints(generator: np.random.Generator, region: np.ndarray) -> Superpoints:
    normal = generator.normal(size=(REGIONS, 3))[region] + generator.normal(0.0, 0.02, (POINTS, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    edges = NEIGHBOURS * REGIONS
    return Superpoints(
        superpoint=region,
        indptr=np.arange(0, edges + 1, NEIGHBOURS, dtype=np.int64),
        neighbor=generator.integers(0, REGIONS, edges, dtype=np.int32),
        contacts=generator.integers(1, 20, edges, dtype=np.int32),
        affinity=generator.random(edges, dtype=np.float32),
        surface=Surface(normal.astype(np.float32), np.stack([region // 3, region // 10]), region < REGIONS // 5),
        method="points",
        parameters={"smallest": 5},
    )


def _labels(generator: np.random.Generator, region: np.ndarray, name: str) -> PseudoLabels:
    owner = generator.integers(-1, BOXES, REGIONS)
    contested = generator.random(REGIONS) < CONTESTED
    mask = np.arange(BOXES)[:, None] == owner

    def rows(otherwise: np.ndarray | float) -> np.ndarray:
        values = generator.random((BOXES, REGIONS))
        return np.where(contested, values, otherwise).astype(np.float32)

    corner = generator.uniform(0.0, 5.0, (BOXES, 3))
    return PseudoLabels(
        scene=name,
        superpoint=region,
        mask=mask,
        mean=rows(mask),
        variance=rows(0.0),
        probability=rows(mask),
        latent_mean=rows(np.nan),
        latent_variance=rows(np.nan),
        source=np.where(contested, 3, owner >= 0).astype(np.uint8),
        contested=contested.astype(np.uint8),
        ignore=np.zeros(REGIONS, bool),
        uncertainty=np.where(contested, generator.random(REGIONS), 0.0).astype(np.float32),
        boxes=Boxes(
            np.concatenate([corner, corner + 1.0], axis=1).astype(np.float32),
            generator.integers(0, 18, BOXES, dtype=np.int32),
            np.arange(BOXES, dtype=np.int32),
        ),
        class_names=tuple(f"class_{index}" for index in range(18)),
        frame="input",
        offset=np.zeros(3),
        link="probit",
        superpoint_method="points",
        superpoint_parameters={"smallest": 5},
    )


def measure(kind: type[Layout], scenes: Mapping[int, Scene], folder: Path) -> dict[str, Any]:
    """Figures a scene, both of its results together."""
    layout = kind(folder)
    with timed() as writing:
        layout.write(scenes)
    paths = list(folder.rglob("*"))
    found = [path.lstat() for path in paths]
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    with timed() as reading:
        arrays = sum(len(result) for result in layout.read(list(scenes)))
    again = list(scenes)[:REPLACED]
    others = {index: scene(index + 10**6) for index in again}
    with timed() as replacing:
        for index, new in others.items():
            layout.replace(index, new)
    count = len(scenes)
    return {
        "title": layout.title,
        "scene_by_scene": layout.scene_by_scene,
        "arrays": arrays / count,
        "write": writing.wall / count,
        "write_cpu": writing.cpu / count,
        "read": reading.wall / count,
        "read_cpu": reading.cpu / count,
        "replace": replacing.wall / len(again),
        "inodes": len(paths) / count,
        "bytes": sum(sizes) / count,
        "allocated": sum(entry.st_blocks * 512 for entry in found) / count,
    }


def rendered(content: Mapping[str, Any]) -> str:
    """One row a layout; in brackets the ratio to the first."""
    first = content["layouts"][0]

    def against(row: Mapping[str, Any], name: str, scale: float = 1.0, digits: int = 1) -> str:
        return f"{number(row[name] * scale, digits)} ({number(row[name] / first[name], 2)})"

    rows = [
        [
            row["title"],
            *(against(row, name, 1000.0) for name in ("write", "read", "replace")),
            against(row, "inodes"),
            *(against(row, name, 1 / 1024, 0) for name in ("bytes", "allocated")),
            row["scene_by_scene"],
        ]
        for row in content["layouts"]
    ]
    header = ["layout", "ms to write", "ms to read", "ms to replace", "files and folders", "KiB", "KiB on disk"]
    notes = [
        f"{content['scenes']} scenes; a scene, two results with {number(first['arrays'], 0)} arrays together; "
        "in brackets the ratio to the first row",
        provenance(content) + f", zarr {content['versions']['zarr']}",
    ]
    return with_notes(table([*header, "atomic and parallel by scene"], rows), notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} scenes")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    count = QUICK if chosen.quick else chosen.scenes
    content: dict[str, Any] = {**about(chosen.quick), "scenes": count, "layouts": []}
    content["versions"]["zarr"] = version("zarr")
    scenes = {index: scene(index) for index in range(count)}
    for kind in LAYOUTS:
        with tempfile.TemporaryDirectory() as folder:
            measure(kind, {0: scenes[0]}, Path(folder) / "warm_up")
            os.sync()
            content["layouts"].append(measure(kind, scenes, Path(folder) / "measured"))
        print(content["layouts"][-1], file=sys.stderr, flush=True)
    print(rendered(content))
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()

"""What it costs to write labels as other trainers read them: seconds, bytes and memory of every format.

    python -m benchmarks.exports [--real FOLDER] [--quick] [--json FILE]

The scans are labelled, and a network is trained on them for a few steps, so that there are predictions to submit; then
each format is exported by a process of its own. Formats of S3DIS get the same scans under names and classes of S3DIS,
since only their layout is measured; formats that want a mesh get the scans that have one. Without real scans, built-in
rooms.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rendering import provenance, with_notes
from benchmarks.runs import about, arguments, loads, run
from benchmarks.tables import number, table, write_json
from benchmarks.workload import COMMAND, Load, folder_load
from pipeline.results import RunResults
from stages.export.formats import FORMATS
from stages.pseudo_labels.labels import PseudoLabels
from stages.scenes.classes import S3DIS13
from stages.stores import read_scene

NETWORK = ("training.network=spformer", "training.steps=20", "training.options.voxel_size=0.1")
MESH_FORMATS = ("sstnet",)
QUICK_SCENES = 2


def s3dis_copies(labelled: RunResults, folder: Path) -> Load:
    """The scenes of a run as scans of one's own whose names and classes are those of S3DIS."""
    folder.mkdir()
    for number_of_room, name in enumerate(labelled.scenes(), 1):
        scene = read_scene(labelled.of("scenes", name))
        arrays: dict[str, Any] = {
            "xyz": scene.xyz,
            "boxes": scene.boxes.corners,
            "box_class": scene.boxes.class_index % len(S3DIS13),
        }
        if scene.rgb is not None:
            arrays["rgb"] = scene.rgb
        np.savez(folder / f"Area_1_office_{number_of_room}.npz", **arrays)
    load = folder_load("as S3DIS", folder)
    return Load(load.name, (*load.settings, "scenes.classes=s3dis13"))


def all_in_train(labelled: RunResults, file: Path) -> Path:
    """A split file that has every scene of a run in train."""
    file.write_text(json.dumps({"train": labelled.scenes()}))
    return file


def export(labelled: RunResults, name: str, folder: Path) -> dict[str, Any]:
    """Exports one format in a process of its own; raises SystemExit with what it said where it fails."""
    split = all_in_train(labelled, folder / f"{name}.json")
    command = [str(COMMAND), "export", str(labelled.folder), "--format", name, "--to", str(folder / name)]
    log = folder / f"{name}.log"
    start = time.perf_counter()
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*command, "--split", str(split)], stdout=stream, stderr=stream, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{name}\n{log.read_text()}")
    files = [path for path in (folder / name / name).rglob("*") if path.is_file()]
    manifests = [json.loads(path.read_text()) for path in (folder / name / ".boxgp" / name).glob("*/manifest.json")]
    return {
        "format": name,
        "scenes": len(manifests),
        "points": sum(
            len(PseudoLabels.open(labelled.of("pseudo_labels", one)).superpoint) for one in labelled.scenes()
        ),
        "command_seconds": time.perf_counter() - start,
        "seconds": sum(manifest["seconds"] for manifest in manifests),
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
        "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


def measure(load: Load, meshes: Load | None, folder: Path) -> list[dict[str, Any]]:
    """Every format on the scans that it can be had for."""
    run("folder" if load.name.startswith("real") else "demo", load, NETWORK, folder / "run")
    labelled = RunResults(folder / "run", 0)
    run("folder", s3dis_copies(labelled, folder / "s3dis_scans"), (), folder / "s3dis")
    runs = {"plain": labelled, "s3dis": RunResults(folder / "s3dis", 0)}
    if meshes is not None:
        run("folder", meshes, (), folder / "mesh")
        runs["mesh"] = RunResults(folder / "mesh", 0)
    rows = []
    for name in FORMATS:
        kind = "s3dis" if name.endswith("-s3dis") else "mesh" if name in MESH_FORMATS else "plain"
        if kind in runs:
            rows.append(export(runs[kind], name, folder))
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def meshes_of(folder: Path) -> Load | None:
    """The real scans that have a mesh and colours."""
    names = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            if {"faces", "rgb"} <= set(arrays.files):
                names.append(path.stem)
    return folder_load("meshes", folder, ",".join(names)) if names else None


def rendered(content: Mapping[str, Any]) -> str:
    """One row a format."""
    header = ["format", "scenes", "s a scene", "MB a scene", "files", "peak GiB", "s, command"]
    return with_notes(table(header, _rows(content["rows"])), [content["load"], provenance(content)])


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [
        [
            f"`{row['format']}`",
            str(row["scenes"]),
            number(row["seconds"] / row["scenes"], 2),
            number(row["bytes"] / row["scenes"] / 1e6, 1),
            str(row["files"]),
            number(row["peak_bytes"] / 2**30, 2),
            number(row["command_seconds"], 1),
        ]
        for row in rows
    ]


def main() -> None:
    parser = arguments(__doc__)
    chosen = parser.parse_args()
    found = loads(chosen)
    load = found.get("real", found["rooms"])
    if chosen.quick:
        names = (load.scenes or "room_0000,room_0001").split(",")[:QUICK_SCENES]
        load = Load(load.name, load.settings, ",".join(names))
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(load, meshes_of(Path(chosen.real)) if chosen.real else None, Path(folder))
    content = {**about(chosen.quick), "load": f"{load.name}; one process, one thread", "rows": rows}
    print(rendered(content))
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()

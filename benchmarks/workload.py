"""The loads of the benchmarks, each brought to regions and features by the command itself.

Real scans, built-in rooms, and ScanNet-shaped scenes (``benchmarks/scannet_shaped.py``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import yaml

from stages.posteriors.config import PosteriorsConfig
from stages.pseudo_labels.coupling import Fusion
from stages.stores import read_features, read_scene, read_superpoints
from stages.structures import RegionFeatures, Scene, Superpoints

COMMAND = Path(sys.executable).with_name("boxgp")
Configuration = Literal["folder", "paper"]


@dataclass(frozen=True)
class Load:
    """Scenes by name: how the command finds them."""

    name: str
    settings: tuple[str, ...]
    """options of section ``scenes``"""
    scenes: str | None = None
    """ids with commas between or a file of them; None: all"""


@dataclass(frozen=True, eq=False)
class Scan:
    """One scene ready for its posteriors."""

    scene: Scene
    superpoints: Superpoints
    features: RegionFeatures


@dataclass(frozen=True, eq=False)
class Partitioned:
    """The scans of a load under a configuration, and what it says about the stages to come."""

    scans: list[Scan]
    posteriors: PosteriorsConfig
    fusion: Fusion
    seconds: float
    """wall clock of the command: start, imports, compilation, reading, regions, features"""


def folder_load(name: str, folder: Path, scenes: str | None = None) -> Load:
    """A folder with one file a scene."""
    return Load(name, (f"scenes.path={folder.resolve()}",), scenes)


def mesh_free(folder: Path) -> str:
    """Ids of the .npz scans in a folder that have colour, no mesh and no partition of their own, with commas between.

    Scans that lack colours are left out: their features would have fewer columns.
    """
    names = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            keys = set(arrays.files)
        if "rgb" in keys and not keys & {"faces", "superpoint"}:
            names.append(path.stem)
    return ",".join(names)


def rooms_load(count: int, points: int) -> Load:
    """Built-in rooms."""
    settings = ("scenes.source=rooms", f"scenes.count={count}", f"scenes.points={points}")
    return Load(f"built-in rooms, {points:,} points", settings)


def partition(load: Load, configuration: Configuration, output: Path) -> Partitioned:
    """Runs the command up to the features, into the folder ``output``; raises SystemExit where it fails."""
    command = [str(COMMAND), "run", configuration, "--output", str(output), "--stage", "..features"]
    command += ["--scenes", load.scenes] if load.scenes else []
    for setting in load.settings:
        command += ["--set", setting]
    start = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    sections = yaml.safe_load((output / "config.yaml").read_text())
    scans = [
        Scan(
            read_scene(folder),
            read_superpoints(output / "superpoints" / folder.name),
            read_features(output / "round_00" / "features" / folder.name),
        )
        for folder in sorted((output / "scenes").iterdir())
        if not folder.name.startswith(".")
    ]
    fusion = cast(Fusion, sections["pseudo_labels"]["fusion"])
    return Partitioned(scans, PosteriorsConfig.model_validate(sections["posteriors"]), fusion, seconds)

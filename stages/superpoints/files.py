"""Partitions from files: numpy, torch and ScanNet's segs.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pipeline.errors import SceneError
from stages.groups import contiguous
from stages.typing import Int32

SUFFIXES = (".npy", ".npz", ".pth")


def partition_files(folder: Path, scene: str) -> list[Path]:
    """The files in ``folder`` that can be the partition of ``scene``."""
    named = [folder / f"{scene}{suffix}" for suffix in SUFFIXES]
    return [path for path in named if path.is_file()] + sorted(folder.glob(f"{scene}*.segs.json"))


def find_partition(folder: Path, scene: str) -> Path:
    """The partition file of ``scene`` in ``folder``; raises SceneError naming what was looked for."""
    found = partition_files(folder, scene)
    if len(found) != 1:
        what = "several partitions" if found else "no partition"
        raise SceneError(
            f"{what} for scene {scene} in {folder}: expected exactly one of {scene}.npy, {scene}.npz, {scene}.pth, "
            f"{scene}*.segs.json, found {[path.name for path in found]}"
        )
    return found[0]


def read_partition(path: Path, count: int, *, trust_pickle: bool) -> Int32[np.ndarray, " N"]:
    """The partition in ``path`` over ``count`` points, made contiguous; raises SceneError for foreign files."""
    try:
        ids = np.asarray(_read_ids(path, trust_pickle=trust_pickle))
    except SceneError:
        raise
    except Exception as error:
        raise SceneError(f"{path} cannot be read as a partition ({error}): write it again") from error
    if ids.shape != (count,) or not np.issubdtype(ids.dtype, np.integer):
        raise SceneError(
            f"{path} holds {ids.dtype}{list(ids.shape)}, but the scan has {count} points: "
            "one integer id a point is needed"
        )
    return contiguous(ids)[0]


def _read_ids(path: Path, *, trust_pickle: bool) -> np.ndarray:
    if path.suffix == ".json":
        return np.asarray(json.loads(path.read_text())["segIndices"])
    if path.suffix == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive["superpoint"])
    return _read_torch(path, trust_pickle=trust_pickle)


def _read_torch(path: Path, *, trust_pickle: bool) -> np.ndarray:
    """A saved tensor; a pickled numpy array only where the user trusts the file, since unpickling may run code."""
    import torch

    try:
        return np.asarray(torch.load(path, map_location="cpu", weights_only=not trust_pickle))
    except Exception as error:
        if trust_pickle:
            raise
        raise SceneError(
            f"{path} is not a plain tensor ({error}); if you trust its origin, set superpoints.trust_pickle: true"
        ) from error

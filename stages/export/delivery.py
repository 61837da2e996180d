"""From the stores of a run to a labelled scene, and from bytes to files in a foreign layout."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pipeline.atomic import remove, temporary_sibling, writing
from pipeline.errors import SceneError, StoreError
from pipeline.stage import SceneJob
from pipeline.store import fingerprint_of, read_manifest
from stages.export.scene import LabelledScene
from stages.pseudo_labels.store import read_labels
from stages.stores import read_scene, read_superpoints
from stages.structures import Scene
from stages.typing import Float32

BOOKS = ".boxgp"
"""folder in that of an export which holds receipts, logs and failures"""
_PARTIAL = "partial"


def read_labelled(job: SceneJob, *, normals: bool) -> LabelledScene:
    """The scene and labels of a job; raises SceneError where the labels were made from another version of the scene."""
    scene, labels = read_scene(job.inputs["scenes"]), read_labels(job.inputs["pseudo_labels"])
    made_from = read_manifest(job.inputs["pseudo_labels"]).get("inputs") or {}
    for stage, folder in job.inputs.items():
        if stage in made_from and made_from[stage] != fingerprint_of(folder):
            raise SceneError(
                f"scene {job.scene}: its labels were made before {stage} was computed anew; run the same `boxgp run` "
                "again"
            )
    return LabelledScene(scene, labels, job.split, _normals(scene, job.inputs["superpoints"]) if normals else None)


def _normals(scene: Scene, superpoints: Path) -> Float32[np.ndarray, "N 3"]:
    """As trainers' own preparation has them: of the scan, else of its mesh, as its faces turn; else our estimate."""
    from stages.superpoints.normals import given_normals

    given = given_normals(scene)
    return read_superpoints(superpoints).surface.normal if given is None else given.astype(np.float32)


def deliver(folder: Path, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Writes files below ``folder``, each whole or not at all; path -> size and sha256 of each.

    ``folder`` is that of one format in an export, whose ``.boxgp`` beside it holds what is not yet whole. Raises
    StoreError where something cannot be written.
    """
    partial = folder.parent / BOOKS / _PARTIAL
    receipt: dict[str, Any] = {}
    for name, content in sorted(files.items()):
        path = folder / PurePosixPath(name)
        write_file(path, content, partial)
        receipt[name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return receipt


def write_file(path: Path, content: bytes, partial: Path) -> None:
    """Writes one file so that readers see the old or the new one; what is not yet whole lies in ``partial``, which has
    to be on the same disk. Readers that list a folder thus never see a temporary name."""
    temporary = temporary_sibling(partial / path.name)
    with writing(path):
        try:
            partial.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(path)
        except BaseException:
            remove(temporary)
            raise


def withdraw(folder: Path, receipt: Mapping[str, Any]) -> None:
    """Removes the files of an earlier receipt; raises StoreError where that is impossible."""
    for name in receipt:
        path = folder / PurePosixPath(name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{path}, of an earlier export, cannot be removed: {error.strerror}") from error


def is_whole(folder: Path, receipt: Mapping[str, Any]) -> bool:
    """Whether every file of a receipt is there with its size."""
    for name, one in receipt.items():
        try:
            if (folder / PurePosixPath(name)).stat().st_size != one["size"]:
                return False
        except OSError:
            return False
    return True

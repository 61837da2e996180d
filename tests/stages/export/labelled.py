"""Labelled scenes for tests of exports: a small built-in room, scenes of runs, and what else may befall a scan."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.results import RunResults
from pipeline.stage import SceneJob
from pipeline.store import commit
from stages.export.delivery import read_labelled
from stages.export.scene import LabelledScene
from stages.features.config import FeaturesConfig
from stages.features.stage import Features
from stages.posteriors.config import PosteriorsConfig
from stages.posteriors.stage import Posteriors
from stages.pseudo_labels.config import PseudoLabelsConfig
from stages.pseudo_labels.labels import PseudoLabels
from stages.pseudo_labels.stage import PseudoLabels as PseudoLabelsStage
from stages.scenes.classes import S3DIS13
from stages.scenes.rooms_config import RoomsConfig
from stages.scenes.stage import Scenes
from stages.structures import Boxes, LabelSource
from stages.superpoints.config import SuperpointsConfig
from stages.superpoints.stage import Superpoints

RealLabelled = Callable[[str], LabelledScene]
"""id of a real scan -> its labels, for training, with normals (fixture ``real_labelled``)"""
ROOM = "room_0000"
MOMENTS = ("mask", "mean", "variance", "probability", "latent_mean", "latent_variance")
"""arrays [K, S] of labels"""
TRIANGLES = np.array([[0, 1, 2], [2, 1, 3]])


def small_room(split: str = "train") -> LabelledScene:
    """A built-in room of 3,000 points with several objects, in metres from a corner; with normals and colours."""
    return replace(_room(), split=split)


@cache
def _room() -> LabelledScene:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        label(RoomsConfig(count=1, points=3000), run)
        return stored(run, ROOM, normals=True)


def label(source: Any, run: Path, scene: str | None = None, **posteriors: Any) -> None:
    """Runs all stages up to the labels on one scene of a source, by default the first, into the folder of a run.

    ``posteriors`` are options of that stage.
    """
    stages = (
        Scenes(source),
        Superpoints(SuperpointsConfig()),
        Features(FeaturesConfig()),
        Posteriors(PosteriorsConfig(**posteriors)),
        PseudoLabelsStage(PseudoLabelsConfig()),
    )
    raw = next(one for one in stages[0].discover() if scene in {None, one.scene})
    results = RunResults(run, 0)
    for stage in stages:
        inputs = {name: results.of(name, raw.scene) for name in stage.inputs}
        job = SceneJob(raw.scene, inputs, () if inputs else raw.files, seed=1)
        commit(results.of(stage.name, raw.scene), stage.run_scene(job), {"fingerprint": stage.name})


def stored(run: Path, scene: str, split: str = "", *, normals: bool = False) -> LabelledScene:
    """A scene of the first round of a run on disk."""
    results = RunResults(run, 0)
    stages = ("scenes", "superpoints", "pseudo_labels")
    inputs = {name: results.of(name, scene) for name in stages}
    return read_labelled(SceneJob(scene, inputs, split=split), normals=normals)


def with_nan(labelled: LabelledScene) -> LabelledScene:
    """Every 40th point lost (one of its coordinates, or all), and the last; no region loses its first point."""
    scene, superpoint = labelled.scene, labelled.labels.superpoint.copy()
    lost = np.arange(len(scene)) % 40 == 7
    lost[-1] = True
    lost[np.unique(superpoint, return_index=True)[1]] = False
    xyz = scene.xyz.copy()
    xyz[lost, 1] = np.nan
    xyz[np.flatnonzero(lost)[::2]] = np.inf
    superpoint[lost] = -1
    return replace(labelled, scene=replace(scene, xyz=xyz), labels=replace(labelled.labels, superpoint=superpoint))


def without_boxes(labelled: LabelledScene) -> LabelledScene:
    """Nothing annotated: every region is background."""
    labels, regions = labelled.labels, labelled.labels.mask.shape[1]
    maps = {name: getattr(labels, name)[:0] for name in MOMENTS}
    nothing = np.zeros(regions, np.uint8)
    return _relabelled(
        labelled,
        Boxes.empty(),
        replace(labels, source=nothing, contested=nothing, uncertainty=np.zeros(regions, np.float32), **maps),
    )


def with_empty_object(labelled: LabelledScene) -> LabelledScene:
    """One more box, the second in order, which got no region."""
    labels, boxes = labelled.labels, labelled.labels.boxes
    maps = {
        name: np.insert(getattr(labels, name), 1, np.nan if name.startswith("latent") else 0, axis=0)
        for name in MOMENTS
    }
    more = Boxes(
        np.insert(boxes.corners, 1, boxes.corners[0] + 100, axis=0),
        np.insert(boxes.class_index, 1, boxes.class_index[0]),
        np.insert(boxes.instance, 1, -1),
    )
    return _relabelled(labelled, more, replace(labels, **maps))


def with_ignored(labelled: LabelledScene) -> LabelledScene:
    """The largest region of an object, and the largest of background, to be ignored."""
    labels = labelled.labels
    size = np.bincount(labels.superpoint[labels.superpoint >= 0], minlength=labels.mask.shape[1])
    owned = labels.mask.any(axis=0)
    ignored = [int(np.argmax(np.where(kind, size, -1))) for kind in (owned, ~owned)]
    mask, source, uncertainty = labels.mask.copy(), labels.source.copy(), labels.uncertainty.copy()
    mask[:, ignored], source[ignored], uncertainty[ignored] = False, LabelSource.NONE, 0
    ignore = labels.ignore.copy()
    ignore[ignored] = True
    changed = replace(labels, mask=mask, source=source, uncertainty=uncertainty, ignore=ignore)
    return replace(labelled, labels=changed)


def unaligned(labelled: LabelledScene) -> LabelledScene:
    """The same points in frame ``axis_aligned``, into which a turn by 30 degrees and a shift brought them.

    The scan's own file thus has them at (x - shift) turned back.
    """
    angle = np.deg2rad(30)
    alignment = np.eye(4)
    alignment[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    alignment[:3, 3] = 3.0, -2.0, 0.5
    scene = replace(labelled.scene, alignment=alignment, frame="axis_aligned")
    return replace(labelled, scene=scene, labels=replace(labelled.labels, frame="axis_aligned"))


def renamed_classes(labelled: LabelledScene) -> LabelledScene:
    """The same objects in three classes that are not ScanNet's: own_a, own_b, own_c."""
    return _classified(labelled, ("own_a", "own_b", "own_c"))


def with_s3dis_classes(labelled: LabelledScene) -> LabelledScene:
    """The same objects in the 13 classes of S3DIS, one after the other."""
    return _classified(labelled, S3DIS13)


def without_classes(labelled: LabelledScene) -> LabelledScene:
    """The same objects, of which nobody said what they are."""
    boxes = replace(labelled.labels.boxes, class_index=np.full(len(labelled.labels.boxes), -1, np.int32))
    return _relabelled(labelled, boxes, replace(labelled.labels, class_names=()))


def without_colors(labelled: LabelledScene) -> LabelledScene:
    """The same scan without colours."""
    return replace(labelled, scene=replace(labelled.scene, rgb=None))


def with_mesh(labelled: LabelledScene) -> LabelledScene:
    """A mesh of triangles between each four points that follow each other; it means nothing."""
    first = np.arange(0, len(labelled.scene) - 3, 2)
    faces = (first[:, None, None] + TRIANGLES).reshape(-1, 3).astype(np.int32)
    return replace(labelled, scene=replace(labelled.scene, faces=faces))


def _classified(labelled: LabelledScene, names: tuple[str, ...]) -> LabelledScene:
    count = len(labelled.labels.boxes)
    boxes = replace(labelled.labels.boxes, class_index=(np.arange(count) % len(names)).astype(np.int32))
    return _relabelled(labelled, boxes, replace(labelled.labels, class_names=names))


def _relabelled(labelled: LabelledScene, boxes: Boxes, labels: PseudoLabels) -> LabelledScene:
    """Other boxes, classes and labels, in the scene as in the labels."""
    scene = replace(labelled.scene, boxes=boxes, class_names=labels.class_names)
    return replace(labelled, scene=scene, labels=replace(labels, boxes=boxes))

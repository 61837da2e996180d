"""From a raw scan to a scene with boxes: instances, their classes and boxes, offset, box noise, checks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stages.groups import contiguous, majority
from stages.scenes.checks import box_findings, finite_points, given_box_findings, scan_findings, warning
from stages.scenes.classes import class_of_semantic
from stages.scenes.config import SourceConfig
from stages.scenes.noise import disturbed, kept
from stages.scenes.scan import Finding, GivenBoxes, Scan
from stages.structures import Boxes, Scene
from stages.typing import Float, Float32, Float64, Int32

FAR = 1000.0
"""metres from the origin beyond which neighbouring float32 numbers lie more than 0.06 mm apart"""


@dataclass(frozen=True, eq=False)
class _Instances:
    """Ground truth of a scan: instance of each point (0..I-1, -1 none), the given id and the class of each instance."""

    instance: Int32[np.ndarray, " N"]
    given_ids: np.ndarray
    class_index: Int32[np.ndarray, " I"]
    annotated: np.ndarray


def assemble(scan: Scan, config: SourceConfig, seed: int) -> tuple[Scene | None, list[Finding]]:
    """The scene of a scan and all findings; None where one of them is an error."""
    findings = [*scan.findings, *scan_findings(scan)]
    given = scan.boxes if config.boxes_from != "instances" else None
    if given is not None:
        findings += given_box_findings(scan, given, config.class_names)
    if any(finding.severity == "error" for finding in findings):
        return None, findings
    truth = None if scan.instance is None else _instances(scan)
    boxes = GivenBoxes(np.zeros((0, 6)), np.zeros(0, np.int32), np.zeros(0, np.int32))
    if given is not None:
        boxes, more = _linked(scan, given, truth)
        findings += more
    elif truth is not None and config.boxes_from != "given":
        boxes = _instance_boxes(scan.xyz, truth, config.minimum_instance_points)
    scene = _scene(scan, config, truth, _with_noise(boxes, config, seed))
    return scene, findings + box_findings(scan, scene.boxes.corners, scene.xyz)


def _instances(scan: Scan) -> _Instances:
    instance, given_ids = contiguous(np.asarray(scan.instance))
    none = np.full(len(given_ids), -1, np.int32)
    if scan.semantic is None or scan.class_ids is None:
        return _Instances(instance, given_ids, none, np.ones(len(given_ids), bool))
    class_index = class_of_semantic(majority(instance, scan.semantic, len(given_ids)), scan.class_ids)
    if scan.boxed_classes is not None:
        class_index = np.where(np.isin(class_index, scan.boxed_classes), class_index, none)
    return _Instances(instance, given_ids, class_index, class_index >= 0)


def _linked(scan: Scan, given: GivenBoxes, truth: _Instances | None) -> tuple[GivenBoxes, list[Finding]]:
    """Boxes whose instance ids are those of the scene; boxes without a class take that of their instance."""
    if truth is None or len(truth.given_ids) == 0:
        return replace(given, instance=np.full(len(given.instance), -1, np.int32)), []
    place = np.minimum(np.searchsorted(truth.given_ids, given.instance), len(truth.given_ids) - 1)
    known = truth.given_ids[place] == given.instance
    missing = (given.instance >= 0) & ~known
    findings = []
    if missing.any():
        ids = ", ".join(str(i) for i in np.unique(given.instance[missing])[:5])
        findings.append(
            warning(f"{scan.file}: boxes name instances that no point has ({ids})", "check the instance ids")
        )
    class_index = np.where((given.class_index < 0) & known, truth.class_index[place], given.class_index)
    instance = np.where(known, place, -1)
    return GivenBoxes(given.corners, class_index.astype(np.int32), instance.astype(np.int32)), findings


def _instance_boxes(xyz: Float64[np.ndarray, "N 3"], truth: _Instances, minimum_points: int) -> GivenBoxes:
    """Min and max corners of the finite points of every annotated instance that has enough of them."""
    inside = (truth.instance >= 0) & finite_points(xyz)
    order = np.flatnonzero(inside)[np.argsort(truth.instance[inside], kind="stable")]
    ids, start, count = np.unique(truth.instance[order], return_index=True, return_counts=True)
    if len(ids) == 0:
        return GivenBoxes(np.zeros((0, 6)), np.zeros(0, np.int32), np.zeros(0, np.int32))
    corners = np.concatenate(
        [np.minimum.reduceat(xyz[order], start, axis=0), np.maximum.reduceat(xyz[order], start, axis=0)], axis=1
    )
    chosen = (count >= minimum_points) & truth.annotated[ids]
    return GivenBoxes(corners[chosen], truth.class_index[ids[chosen]], ids[chosen].astype(np.int32))


def _with_noise(boxes: GivenBoxes, config: SourceConfig, seed: int) -> GivenBoxes:
    if not config.noise.any:
        return boxes
    keep = kept(len(boxes.corners), config.noise.drop, seed)
    corners = disturbed(boxes.corners, seed, **config.noise.model_dump(exclude={"drop"}))
    return GivenBoxes(corners[keep], boxes.class_index[keep], boxes.instance[keep])


def _scene(scan: Scan, config: SourceConfig, truth: _Instances | None, boxes: GivenBoxes) -> Scene:
    offset = offset_of(scan.xyz)
    corners = relative(boxes.corners.reshape(-1, 3), offset).reshape(-1, 6)
    return Scene(
        scene=scan.scene,
        xyz=relative(scan.xyz, offset),
        boxes=Boxes(corners, boxes.class_index.astype(np.int32), boxes.instance.astype(np.int32)),
        offset=offset,
        rgb=scan.rgb,
        normals=scan.normals,
        faces=None if scan.faces is None else scan.faces.astype(np.int32),
        background_boxes=_background(scan, offset),
        given_superpoint=None if scan.superpoint is None else contiguous(scan.superpoint)[0],
        instance=None if truth is None else truth.instance,
        semantic=scan.semantic,
        instance_class=None if truth is None else truth.class_index,
        class_names=config.class_names,
        frame=scan.frame,
        alignment=scan.alignment,
    )


def _background(scan: Scan, offset: Float64[np.ndarray, " 3"]) -> Float32[np.ndarray, "B 6"] | None:
    """Background boxes in the scene's frame."""
    if scan.background_boxes is None:
        return None
    return relative(scan.background_boxes.reshape(-1, 3), offset).reshape(-1, 6)


def offset_of(xyz: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, " 3"]:
    """What to subtract before the cast to float32: zero, or whole metres below all points where one is far away."""
    finite = xyz[finite_points(xyz)]
    if len(finite) == 0 or np.abs(finite).max() <= FAR:
        return np.zeros(3)
    return np.asarray(np.floor(finite.min(axis=0)))


def relative(xyz: Float[np.ndarray, "N 3"], offset: Float64[np.ndarray, " 3"]) -> Float32[np.ndarray, "N 3"]:
    """Coordinates in the scene's frame, subtracted in float64: equal coordinates stay equal."""
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32: infinite, which counts as not finite
        return np.asarray((xyz.astype(np.float64) - offset).astype(np.float32))

"""What can be wrong with the arrays of a scan, and what to do about it. Pure: arrays in, findings out."""

from __future__ import annotations

import numpy as np

from stages.scenes.scan import Finding, GivenBoxes, Scan
from stages.typing import Bool, Float, Float32

SHOWN = 5


def error(message: str, remedy: str) -> Finding:
    """A finding that refuses the scene."""
    return Finding("error", message, remedy)


def warning(message: str, remedy: str) -> Finding:
    """A finding with which the scene is done all the same."""
    return Finding("warning", message, remedy)


def numbers(which: Bool[np.ndarray, " K"]) -> str:
    """Positions of the True entries for a message: the first few, and how many more."""
    places = np.flatnonzero(which)
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return ", ".join(str(place) for place in places[:SHOWN]) + more


def finite_points(xyz: Float[np.ndarray, "N 3"]) -> Bool[np.ndarray, " N"]:
    """True for points whose three coordinates are finite in float32, in which scenes are stored."""
    with np.errstate(over="ignore"):
        return np.asarray(np.isfinite(xyz.astype(np.float32)).all(axis=1))


def scan_findings(scan: Scan) -> list[Finding]:
    """Errors and warnings about points, faces and instances; lengths and dtypes are the readers' affair."""
    if len(scan.xyz) == 0:
        return [error(f"{scan.file}: the scan has no points", "export it again, or take it out of the folder")]
    findings = []
    infinite = int(np.count_nonzero(~finite_points(scan.xyz)))
    if infinite == len(scan.xyz):
        findings.append(error(f"{scan.file}: none of the {infinite} points is finite", "export the scan again"))
    elif infinite:
        what = f"{scan.file}: {infinite} of {len(scan.xyz)} points are not finite"
        findings.append(warning(what, "they keep their place and get no label"))
    if len(scan.xyz) == 1:
        findings.append(warning(f"{scan.file}: the scan has one point", "check that the export is complete"))
    if scan.rgb is None:
        findings.append(warning(f"{scan.file}: no colour", "regions and features go by position and normals alone"))
    if scan.faces is not None and scan.faces.size and (scan.faces.min() < 0 or scan.faces.max() >= len(scan.xyz)):
        what = f"{scan.file}: key 'faces' names points {scan.faces.min()}..{scan.faces.max()} of {len(scan.xyz)}"
        findings.append(
            error(what, "faces hold point indices from 0; export mesh and points together, or leave faces out")
        )
    background = scan.background_boxes
    if background is not None and not (
        np.isfinite(background).all() and (background[:, 3:] >= background[:, :3]).all()
    ):
        what = f"{scan.file}: background boxes have max < min, or corners that are not finite"
        findings.append(error(what, "give each box as min x, y, z, max x, y, z"))
    return findings


def given_box_findings(scan: Scan, boxes: GivenBoxes, class_names: tuple[str, ...]) -> list[Finding]:
    """Errors of annotated boxes: not finite, crossed corners, classes that are not declared."""
    findings = []
    infinite = np.asarray(~np.isfinite(boxes.corners).all(axis=1))
    if infinite.any():
        what = f"{scan.file}: boxes {numbers(infinite)} have corners that are not finite"
        findings.append(error(what, "correct or delete these boxes"))
    crossed = np.asarray((boxes.corners[:, 3:] < boxes.corners[:, :3]).any(axis=1))
    if crossed.any():
        what = f"{scan.file}: boxes {numbers(crossed)} have max < min"
        findings.append(error(what, "give each box as min x, y, z, max x, y, z (not centre and size)"))
    undeclared = (boxes.class_index >= len(class_names)) | (boxes.class_index < -1)
    if undeclared.any():
        what = f"{scan.file}: boxes {numbers(undeclared)} have a class outside 0..{len(class_names) - 1}"
        findings.append(error(what, "declare every class under `classes`, in the order of the indices (-1: no class)"))
    return findings


def box_findings(scan: Scan, corners: Float32[np.ndarray, "K 6"], xyz: Float32[np.ndarray, "N 3"]) -> list[Finding]:
    """Warnings about the boxes of a scene as they are stored: none, empty, far away, duplicate, without thickness."""
    if len(corners) == 0:
        return [warning(f"{scan.file}: no boxes", "all its points are background; annotate it, or leave it out")]
    findings = []
    finite = xyz[finite_points(xyz)]
    far = (corners[:, 3:] < finite.min(axis=0)).any(axis=1) | (corners[:, :3] > finite.max(axis=0)).any(axis=1)
    if far.any():
        what = f"{scan.file}: boxes {numbers(far)} lie outside the extent of the points"
        findings.append(warning(what, "check that boxes and points share frame and unit (metres)"))
    empty = ~occupied(corners, finite) & ~far
    if empty.any():
        findings.append(
            warning(f"{scan.file}: boxes {numbers(empty)} hold no point", "their masks stay empty; check them")
        )
    flat = (corners[:, 3:] == corners[:, :3]).any(axis=1)
    if flat.any():
        findings.append(warning(f"{scan.file}: boxes {numbers(flat)} have no thickness", "draw them around the object"))
    _, first = np.unique(corners, axis=0, return_index=True)
    again = ~np.isin(np.arange(len(corners)), first)
    if again.any():
        findings.append(
            warning(f"{scan.file}: boxes {numbers(again)} repeat an earlier box exactly", "delete one of each")
        )
    return findings


def occupied(corners: Float32[np.ndarray, "K 6"], xyz: Float32[np.ndarray, "M 3"]) -> Bool[np.ndarray, " K"]:
    """Whether each box (faces included) holds a point; all points finite."""
    ordered = xyz[np.argsort(xyz[:, 0], kind="stable")]
    start = np.searchsorted(ordered[:, 0], corners[:, 0], "left")
    stop = np.searchsorted(ordered[:, 0], corners[:, 3], "right")
    result = np.zeros(len(corners), bool)
    for k, corner in enumerate(corners):
        yz = ordered[start[k] : stop[k], 1:]
        result[k] = ((yz >= corner[1:3]) & (yz <= corner[4:6])).all(axis=1).any()
    return result

"""The faces of boxes: whether they are exact, which regions touch them, and how sure a point's side of them is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from stages.structures import Faces
from stages.superpoints.split import count_pairs, points_in_boxes
from stages.typing import Bool, Float32, Int32, Int64

TOUCHING = 1e-6
"""Metres from a face at which a point is the one that the face was made from."""
SHRUNK = 0.01
"""Metres inside the faces: how often points lie there tells how often they touch a face by chance."""
BEYOND_CHANCE = 0.1
"""Boxes count as exact where this many more of their faces than by chance are touched."""
MANY = 0.5
"""Where this many faces are touched, but by chance as often, coordinates are too coarse to tell."""
GAP_QUANTILE, GAP_TO_DEVIATION = 0.9, 1.2
"""Which of the gaps between faces and points stands for all, and the standard deviation of faces a unit of it."""
USUAL_DEVIATION, FEW_BOXES = 0.03, 3
"""Share of the side by which faces are off where nothing is known, and how many boxes' gaps that counts for."""
LARGEST_DEVIATION = 0.25
THINNEST_DEVIATION = 0.003
"""Metres: no face is surer than this."""
REACH = 3.0
"""Standard deviations beyond which a point's side of a face is certain."""


@dataclass(frozen=True, eq=False)
class FaceContacts:
    """Every point inside a box, and which of the box's faces it lies on."""

    box: Int32[np.ndarray, " M"]
    point: Int32[np.ndarray, " M"]
    on_face: Bool[np.ndarray, "M 6"]
    boxes: int

    @property
    def touched(self) -> float:
        """Share of the faces that a point inside their box lies on; 0 without boxes."""
        touched = np.zeros((self.boxes, 6), bool)
        entry, face = np.nonzero(self.on_face)
        touched[self.box[entry], face] = True
        return float(touched.mean()) if self.boxes else 0.0


def face_contacts(xyz: Float32[np.ndarray, "N 3"], corners: Float32[np.ndarray, "K 6"]) -> FaceContacts:
    """All points inside boxes, with the faces that they lie on."""
    box, point = points_in_boxes(xyz, corners, TOUCHING)
    return FaceContacts(box, point, np.abs(np.tile(xyz[point], 2) - corners[box]) <= TOUCHING, len(corners))


def touching_regions(
    contacts: FaceContacts, superpoint: Int32[np.ndarray, " N"], count: int
) -> Bool[np.ndarray, "K S"]:
    """Regions of which a point inside box k lies on a face of it."""
    region = superpoint[contacts.point]
    touches = contacts.on_face.any(axis=1) & (region >= 0)
    touching = np.zeros((contacts.boxes, count), bool)
    touching[contacts.box[touches], region[touches]] = True
    return touching


def trust_in_faces(
    xyz: Float32[np.ndarray, "N 3"], corners: Float32[np.ndarray, "K 6"], contacts: FaceContacts
) -> Faces:
    """Whether boxes end where points end, by the share of their faces that a point lies on.

    Faces of boxes made from an object's points are touched (``exact``), those drawn by hand by chance alone
    (``uncertain``). On coordinates rounded to millimetres chance touches many: how many, the same boxes tell when they
    are shrunk by 1 cm on every side. Where chance explains it all, faces are taken as they were drawn (``plain``).
    """
    inner = corners + np.repeat(np.array([SHRUNK, -SHRUNK], np.float32), 3)
    thick = (inner[:, 3:] > inner[:, :3]).all(axis=1)
    touched, chance = contacts.touched, face_contacts(xyz, inner[thick]).touched
    if touched >= chance + BEYOND_CHANCE:
        return Faces("exact", touched)
    return Faces("plain" if touched >= MANY else "uncertain", touched)


def face_deviation(xyz: Float32[np.ndarray, "N 3"], corners: Float32[np.ndarray, "K 6"]) -> float:
    """Standard deviation of the faces of a scan's boxes, as a share of the side of their box.

    Half of all faces lie beyond their object, and where nothing else is in the way the gap between such a face and the
    nearest point inside is its error. So the 90th percentile of all gaps is the 80th of errors that are not negative,
    1.28 standard deviations of a Gaussian, less what clutter fills: ``GAP_TO_DEVIATION`` is what noise of known size
    gave on rooms. Few boxes tell little: they are averaged with ``USUAL_DEVIATION``.
    """
    box, point = points_in_boxes(xyz, corners, TOUCHING)
    low, high = np.full((2, len(corners), 3), np.inf, np.float32)
    np.minimum.at(low, box, xyz[point])
    np.minimum.at(high, box, -xyz[point])
    side = np.maximum(corners[:, 3:] - corners[:, :3], THINNEST_DEVIATION)
    gap = np.concatenate([(low - corners[:, :3]) / side, (corners[:, 3:] + high) / side], axis=1)
    gap = gap[np.isfinite(gap).all(axis=1)]
    found = GAP_TO_DEVIATION * float(np.quantile(gap, GAP_QUANTILE)) if len(gap) else 0.0
    return min((len(gap) * found + FEW_BOXES * USUAL_DEVIATION) / (len(gap) + FEW_BOXES), LARGEST_DEVIATION)


def soft_membership(
    xyz: Float32[np.ndarray, "N 3"],
    superpoint: Int32[np.ndarray, " N"],
    size: Int64[np.ndarray, " S"],
    corners: Float32[np.ndarray, "K 6"],
    deviation: float,
) -> Float32[np.ndarray, "K S"]:
    """Mean probability, over a region's points, of lying inside each true box.

    A face lies where it was drawn, with a Gaussian error whose standard deviation is ``deviation`` times the side
    of the box (3 mm at least), independently of the others: Phi((x - low) / s) Phi((high - x) / s) on each axis.
    """
    low, high = corners[:, :3], corners[:, 3:]
    spread = np.maximum(deviation * (high - low), THINNEST_DEVIATION).astype(np.float32)
    box, point = points_in_boxes(xyz, np.concatenate([low - REACH * spread, high + REACH * spread], axis=1), 0.0)
    inside = np.ones(len(point))
    for axis in range(3):
        x, own = xyz[point, axis], spread[box, axis]
        inside *= ndtr((x - low[box, axis]) / own) * ndtr((high[box, axis] - x) / own)
    total = count_pairs(box, superpoint[point], len(corners), len(size), inside)
    return (total / np.maximum(size, 1)).astype(np.float32)

"""The data that flows between stages: frozen, typed, in numpy; each class states its shapes, units and invariants.

N points, S regions (superpoints), K boxes, P box pairs, D feature columns. Metres everywhere. ``-1`` stands for "none"
in ids, NaN for "no value" in moments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

import numpy as np

from stages.typing import Bool, Float32, Float64, Int32, Int64, UInt8


class LabelSource(IntEnum):
    """Who decided the label of a region; stored as uint8 in ``source`` with these names in the attributes."""

    BACKGROUND = 0
    """in no box, or in a background box"""
    SINGLE_BOX = 1
    """in exactly one box"""
    CONTAINMENT = 2
    """in a box and in another one that contains it: the inner one"""
    GP = 3
    """a posterior over its possible owners"""
    FALLBACK = 4
    """contested, but no posterior could be had: the smallest box"""
    RULE = 5
    """a rule of GaPro, table 3 (smallest box, nearest centre, linear classifier)"""
    TRUTH = 6
    """the ground-truth instances"""
    HUMAN = 7
    """a person's correction"""
    NONE = 8
    """not finite, or contested under the rule ``none``: no label"""


@dataclass(frozen=True, eq=False)
class Boxes:
    """Axis-aligned boxes of one scene, in the scene's frame (relative to its offset)."""

    corners: Float32[np.ndarray, "K 6"]
    """min x, y, z, max x, y, z in metres; max >= min"""
    class_index: Int32[np.ndarray, " K"]
    """index into the scene's class names, -1 where the annotation names no class"""
    instance: Int32[np.ndarray, " K"]
    """ground-truth instance that the box was made from, -1 if unknown"""

    def __len__(self) -> int:
        return len(self.corners)

    @staticmethod
    def empty() -> Boxes:
        """No boxes."""
        none = np.zeros(0, np.int32)
        return Boxes(np.zeros((0, 6), np.float32), none, none)


@dataclass(frozen=True, eq=False)
class Scene:
    """One scan with its boxes and, where the source has them, its ground-truth instances.

    Points that are not finite keep their place: N is always the number of points of the input.
    """

    scene: str
    xyz: Float32[np.ndarray, "N 3"]
    """metres relative to ``offset``, z up"""
    boxes: Boxes
    offset: Float64[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))
    rgb: UInt8[np.ndarray, "N 3"] | None = None
    normals: Float32[np.ndarray, "N 3"] | None = None
    faces: Int32[np.ndarray, "F 3"] | None = None
    given_superpoint: Int32[np.ndarray, " N"] | None = None
    """a partition that came with the scan (contiguous ids)"""
    background_boxes: Float32[np.ndarray, "B 6"] | None = None
    """boxes of walls, floors and the like, which no object owns"""
    instance: Int32[np.ndarray, " N"] | None = None
    """ground-truth instance of each point, -1 none"""
    semantic: Int32[np.ndarray, " N"] | None = None
    """semantic id of each point in the source's own numbering (NYU40 for ScanNet), 0 or -1 none"""
    instance_class: Int32[np.ndarray, " I"] | None = None
    """class index of each ground-truth instance, -1 if it is none of the classes (then it is not annotated by a box)"""
    class_names: tuple[str, ...] = ()
    frame: str = "input"
    """name of the coordinate frame: ``input`` (as in the file) or ``axis_aligned`` (ScanNet's alignment applied)"""
    alignment: Float64[np.ndarray, "4 4"] | None = None
    """rigid motion that took the file's coordinates to frame ``axis_aligned``; None in frame ``input``"""

    def __len__(self) -> int:
        return len(self.xyz)

    @property
    def finite(self) -> Bool[np.ndarray, " N"]:
        """True for points whose three coordinates are finite."""
        return np.isfinite(self.xyz).all(axis=1)


@dataclass(frozen=True, eq=False)
class Surface:
    """What the geometry of a scan says about each of its points, whatever its regions are."""

    normal: Float32[np.ndarray, "N 3"]
    """unit normals, turned into the room; zeros where not finite, and where no plane could be fitted"""
    coarse: Int32[np.ndarray, "2 N"]
    """two partitions that know nothing of boxes, by normals and by normals and colour; -1 where not finite"""
    on_floor: Bool[np.ndarray, " N"]
    """flat surface at the height of the floor"""


@dataclass(frozen=True, eq=False)
class Superpoints:
    """A partition of the points into regions, the graph of regions that touch each other, and the points' surface."""

    superpoint: Int32[np.ndarray, " N"]
    """region of each point, 0..S-1 without gaps; -1 for points without one (not finite)"""
    indptr: Int64[np.ndarray, " S_plus_1"]
    """region graph in compressed rows, symmetric: neighbours of region s are ``neighbor[indptr[s]:indptr[s + 1]]``"""
    neighbor: Int32[np.ndarray, " E"]
    contacts: Int32[np.ndarray, " E"]
    """number of neighbouring point pairs across each edge"""
    affinity: Float32[np.ndarray, " E"]
    """how much of one surface the regions look like across each edge: the affinities of the directed point pairs
    across it (at most 1 each, ``edge_affinities``) added up and halved, and 0.001"""
    surface: Surface
    method: str
    parameters: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.indptr) - 1


@dataclass(frozen=True, eq=False)
class RegionFeatures:
    """One feature vector a region."""

    feature: Float32[np.ndarray, "S D"]
    columns: tuple[str, ...]
    normalization: str


FaceTrust = Literal["exact", "plain", "uncertain"]


@dataclass(frozen=True)
class Faces:
    """How far the faces of a scene's boxes were trusted."""

    trust: FaceTrust
    touched: float
    """share of the faces that a point lies on"""
    deviation: float = 0.0
    """standard deviation of uncertain faces as a share of their box's side; else 0"""


@dataclass(frozen=True, eq=False)
class PairPosteriors:
    """Which regions are determined and by whom, and the posteriors of the contested ones.

    One Gaussian Process a pair: pair p is (i, j), where j = K stands for background; its entries are
    ``indptr[p]:indptr[p + 1]``, and all moments and probabilities are those of owner i against owner j. Or one joint
    Gaussian Process of all owners: then there are no pairs, and the ``joint`` moments are given.
    """

    owner: Int32[np.ndarray, " S"]
    """box of a determined region, K for background; -1 for contested regions and those without a label"""
    source: UInt8[np.ndarray, " S"]
    """LabelSource of each region"""
    candidate: Bool[np.ndarray, "K S"]
    """boxes that may own a region; two or more: overlap"""
    prior: Float32[np.ndarray, "K_plus_1 S"]
    """probability of each owner before any posterior, background last; columns add up to 1"""
    pair: Int32[np.ndarray, "P 2"]
    overlap: Float32[np.ndarray, " P"]
    """intersection over union of the two boxes, 0 for background pairs"""
    indptr: Int64[np.ndarray, " P_plus_1"]
    region: Int32[np.ndarray, " R"]
    latent_mean: Float32[np.ndarray, " R"]
    latent_variance: Float32[np.ndarray, " R"]
    probability: Float32[np.ndarray, " R"]
    """pi* of GaPro, eq. (2), or the engine's own predictive probability"""
    mean: Float32[np.ndarray, " R"]
    """E[link(f)]"""
    variance: Float32[np.ndarray, " R"]
    """Var[link(f)]"""
    length_scale: Float32[np.ndarray, " P"]
    output_scale: Float32[np.ndarray, " P"]
    evidence: Float32[np.ndarray, " P"]
    """log marginal likelihood (or its bound) per determined region; NaN where a side had no determined region"""
    steps: Int32[np.ndarray, " P"]
    jitter_retries: Int32[np.ndarray, " P"]
    fitted: Bool[np.ndarray, " P"]
    """False where no posterior could be had (one side without determined regions, or no convergence)"""
    link: str
    """``sigmoid``, ``probit`` (normal CDF), ``step`` (f > 0) or ``identity`` (joint); ``none`` for rules"""
    engine: str
    faces: Faces
    joint_mean: Float32[np.ndarray, "K_plus_1 S"] | None = None
    """posterior mean of each owner's function, background last; columns add up to 1"""
    joint_variance: Float32[np.ndarray, " S"] | None = None
    """posterior variance, the same for all owners, in units of the noise of one sure observation"""

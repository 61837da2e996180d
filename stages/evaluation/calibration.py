"""Do probabilities of contested regions mean what they say, and does uncertainty find the errors?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from stages.typing import Bool, Float32, Float64, Int, Int32, Int64, UInt8

BINS = 15
"""Bins of equal mass (in points) of the expected calibration error."""
SCANNET_SCAN = re.compile(r"(scene\d{4})_\d{2}")


@dataclass(frozen=True, eq=False)
class OwnerSamples:
    """Contested regions whose right owner is known."""

    confidence: Float32[np.ndarray, " R"]
    """probability that the chosen owner is right, background included"""
    points: Int64[np.ndarray, " R"]
    correct: Int64[np.ndarray, " R"]
    """points that truly belong to the chosen owner"""
    uncertainty: Float32[np.ndarray, " R"]
    kind: UInt8[np.ndarray, " R"]
    """1 overlap, 2 background"""

    def __getitem__(self, chosen: Bool[np.ndarray, " R"]) -> OwnerSamples:
        return OwnerSamples(**{name: value[chosen] for name, value in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Reliability:
    """Rows of a reliability table, one for each bin that holds points, from low to high confidence."""

    points: Int64[np.ndarray, " B"]
    confidence: Float64[np.ndarray, " B"]
    """mean over the points of the bin"""
    accuracy: Float64[np.ndarray, " B"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Figures weighted by points; NaN without points, ``auroc`` also where all or none of them are right."""

    regions: int
    points: int
    accuracy: float
    confidence: float
    ece: float
    """expected calibration error: mean over points of |accuracy - confidence| of their bin"""
    room_ece: float
    """mean over rooms of the ECE within each: pooling lets one room's error cancel that of another"""
    brier: float
    auroc: float
    """area under the ROC curve of errors ranked by uncertainty, 0.5 for chance"""
    reliability: Reliability


def owner_samples(
    mask: Bool[np.ndarray, "K S"],
    probability: Float32[np.ndarray, "K S"],
    contested: UInt8[np.ndarray, " S"],
    ignore: Bool[np.ndarray, " S"],
    uncertainty: Float32[np.ndarray, " S"],
    counts: csr_array,
    instance_of_object: Int32[np.ndarray, " K"],
) -> OwnerSamples:
    """One sample for each contested region that is not ignored.

    ``counts`` int64 [S+1, I+1] points of each region in each instance. The confidence of an object is its probability,
    that of background 1 less the sum of all. Points of background are those in no instance that a box annotates.
    Regions given to an object of unknown instance (-1) are left out.
    """
    region = np.flatnonzero((contested > 0) & ~ignore)
    share = probability[:, region]
    confidence = 1.0 - share.sum(axis=0, dtype=np.float64)
    # instance of the chosen owner; background and objects of unknown instance have none
    target = np.full(len(region), -1, np.int32)
    background: Bool[np.ndarray, " R"] = np.ones(len(region), bool)
    if len(mask):
        background = np.logical_not(mask[:, region].any(axis=0))
        owner = mask[:, region].argmax(axis=0)
        confidence = np.where(background, confidence, share[owner, np.arange(len(region))])
        target = np.where(background, -1, instance_of_object[owner])
    points, correct = _right_points(counts[region], target, instance_of_object)
    known = (points > 0) & (background | (target >= 0))
    return OwnerSamples(
        np.clip(confidence, 0.0, 1.0).astype(np.float32)[known],
        points[known],
        correct[known],
        uncertainty[region][known],
        contested[region][known],
    )


def _right_points(
    counts: csr_array, target: Int[np.ndarray, " R"], instance_of_object: Int32[np.ndarray, " K"]
) -> tuple[Int64[np.ndarray, " R"], Int64[np.ndarray, " R"]]:
    """Points of each region, and how many lie in its target instance (-1: in none that a box annotates)."""
    boxed = np.zeros(counts.shape[1], bool)
    boxed[instance_of_object[instance_of_object >= 0]] = True
    entries = counts.tocoo()
    wanted = target[entries.row]
    right = np.where(wanted >= 0, entries.col == wanted, ~boxed[entries.col])
    points, correct = (
        np.bincount(entries.row, weights=weights, minlength=len(target)).astype(np.int64)
        for weights in (entries.data, entries.data * right)
    )
    return points, correct


def pool_samples(scenes: Sequence[OwnerSamples]) -> OwnerSamples:
    """The samples of several scenes."""
    return OwnerSamples(
        **{
            name: np.concatenate([getattr(scene, name) for scene in scenes])
            for name in OwnerSamples.__dataclass_fields__
        }
    )


def calibration(samples: OwnerSamples) -> Calibration:
    """All calibration figures of ``samples``, taken as one room, every point with the same weight."""
    table = reliability(samples)
    points = int(samples.points.sum())
    if not points:
        nothing = float("nan")
        return Calibration(0, 0, nothing, nothing, nothing, nothing, nothing, nothing, table)
    confidence = samples.confidence.astype(np.float64)
    wrong = samples.points - samples.correct
    ece = float((np.abs(table.accuracy - table.confidence) * table.points).sum() / points)
    return Calibration(
        regions=len(samples.points),
        points=points,
        accuracy=float(samples.correct.sum() / points),
        confidence=float((confidence * samples.points).sum() / points),
        ece=ece,
        room_ece=ece,
        brier=float((samples.correct * (1.0 - confidence) ** 2 + wrong * confidence**2).sum() / points),
        auroc=error_auroc(samples.uncertainty, samples.correct, wrong),
        reliability=table,
    )


def room_of(scene: str) -> str:
    """The room of a scene: scans of ScanNet name it (``scene0000_01``: ``scene0000``), others are a room each."""
    scan = SCANNET_SCAN.fullmatch(scene)
    return scan[1] if scan else scene


def by_room(scenes: Mapping[str, OwnerSamples]) -> dict[str, OwnerSamples]:
    """The samples of each room from those of its scenes."""
    rooms: dict[str, list[OwnerSamples]] = {}
    for scene in sorted(scenes):
        rooms.setdefault(room_of(scene), []).append(scenes[scene])
    return {room: pool_samples(samples) for room, samples in rooms.items()}


def pooled_calibration(rooms: Mapping[str, OwnerSamples]) -> Calibration:
    """The calibration of all rooms' samples together, and the mean of the rooms' own ECE over those with samples."""
    own = [calibration(samples).ece for samples in rooms.values() if len(samples.points)]
    together = calibration(pool_samples(list(rooms.values())))
    return replace(together, room_ece=float(np.mean(own)) if own else float("nan"))


def base_rate(rooms: Mapping[str, OwnerSamples]) -> dict[str, OwnerSamples]:
    """The samples of each room with the accuracy of the other rooms' points as the confidence of every region.

    The reference that a posterior must beat. A constant that is fitted to the points it is judged by has an ECE of 0
    whatever it is worth, so each room is left out of its own. The uncertainty is 0 everywhere: a constant ranks no
    errors. Rooms without samples are left out; empty where fewer than two rooms have any.
    """
    known = {room: samples for room, samples in rooms.items() if len(samples.points)}
    if len(known) < 2:
        return {}
    points = sum(int(samples.points.sum()) for samples in known.values())
    correct = sum(int(samples.correct.sum()) for samples in known.values())
    constant = {}
    for room, samples in known.items():
        elsewhere = (correct - int(samples.correct.sum())) / (points - int(samples.points.sum()))
        constant[room] = replace(
            samples,
            confidence=np.full_like(samples.confidence, elsewhere),
            uncertainty=np.zeros_like(samples.uncertainty),
        )
    return constant


def reliability(samples: OwnerSamples) -> Reliability:
    """Mean confidence and accuracy in BINS bins of equal mass.

    Samples of equal confidence share a bin, whatever their order; a bin may therefore be larger than the others, or
    empty and left out.
    """
    level, group = np.unique(samples.confidence, return_inverse=True)
    points = np.bincount(group, weights=samples.points, minlength=len(level))
    correct = np.bincount(group, weights=samples.correct, minlength=len(level))
    middle = np.cumsum(points) - points / 2
    binned = np.minimum((middle / max(points.sum(), 1) * BINS).astype(np.int64), BINS - 1)
    mass, right, claimed = (
        np.bincount(binned, weights=weight, minlength=BINS)
        for weight in (points, correct, points * level.astype(np.float64))
    )
    held = mass > 0
    return Reliability(mass[held].astype(np.int64), claimed[held] / mass[held], right[held] / mass[held])


def error_auroc(
    uncertainty: Float32[np.ndarray, " R"], correct: Int64[np.ndarray, " R"], wrong: Int64[np.ndarray, " R"]
) -> float:
    """Probability that a wrong point is more uncertain than a right one, ties counted half; NaN without both."""
    if not correct.sum() or not wrong.sum():
        return float("nan")
    level, group = np.unique(uncertainty, return_inverse=True)
    right = np.bincount(group, weights=correct, minlength=len(level))
    missed = np.bincount(group, weights=wrong, minlength=len(level))
    below = np.cumsum(right) - right
    return float((missed * (below + right / 2)).sum() / (right.sum() * missed.sum()))

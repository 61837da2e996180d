"""What a person's review would gain: labels in which the truth replaces a few regions of each scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from stages.evaluation.drift import owner_of_regions
from stages.evaluation.label_quality import label_ap, majority_of_regions
from stages.posteriors.rules import truth
from stages.typing import Bool, Float32, Float64, Int32, Int64, UInt8

Order = Callable[["_Reviewed"], "Int64[np.ndarray, ' C']"]


@dataclass(frozen=True, eq=False)
class ReviewScene:
    """The labels of one scene beside its truth."""

    mask: Bool[np.ndarray, "K S"]
    contested: UInt8[np.ndarray, " S"]
    """kind of each region, 0 for determined ones"""
    ignore: Bool[np.ndarray, " S"]
    uncertainty: Float32[np.ndarray, " S"]
    gain: Float64[np.ndarray, " S"]
    """``expected_gain`` of a look at each region"""
    counts: csr_array
    """points of each region in each instance, int64 [S+1, I+1] (``points_in_instances``)"""
    instance_of_object: Int32[np.ndarray, " K"]
    """the instance that each box annotates, -1 if it is not known"""


@dataclass(frozen=True)
class Quality:
    """Label quality in [0, 1], pooled over the objects of all scenes.

    AP counts objects above thresholds, and a few regions may move none across; mean IoU tells them apart.
    """

    ap: float
    mean_iou: float


@dataclass(frozen=True)
class ReviewStep:
    """Label quality after ``count`` contested regions of each scene were replaced by the truth."""

    count: int
    regions: int
    """replaced in all scenes together: fewer than ``count`` a scene where there are not as many"""
    most_uncertain: Quality
    largest_gain: Quality
    """the first in the queue of the review page"""
    random: Quality
    """mean over the seeds"""
    random_deviation: Quality
    """standard deviation over the seeds"""
    least_uncertain: Quality


@dataclass(frozen=True)
class ReviewCurve:
    """Label quality against the number of regions that were reviewed in each scene."""

    scenes: int
    objects: int
    contested: int
    """regions that could be reviewed"""
    seeds: int
    before: Quality
    """of the labels as they are"""
    everything: Quality
    """with every contested region replaced"""
    steps: tuple[ReviewStep, ...]


def review_curve(scenes: Sequence[ReviewScene], counts: Sequence[int], seeds: int = 20) -> ReviewCurve:
    """Replaces regions of each scene by the truth, for each number in ``counts``, in four orders.

    The truth of a region is the box of the instance of most of its points, or background. Contested regions alone are
    reviewed: those most uncertain first, those of the largest expected gain first, at random with ``seeds`` seeds,
    and those least uncertain first; equals in the order of regions. Raises ValueError without scenes.
    """
    if not scenes:
        raise ValueError("there is no scene with a ground truth")
    reviewed = [_Reviewed(scene) for scene in scenes]
    contested = [len(scene.contested) for scene in reviewed]
    return ReviewCurve(
        scenes=len(reviewed),
        objects=sum(scene.objects for scene in reviewed),
        contested=sum(contested),
        seeds=seeds,
        before=_after(reviewed, 0, _most_uncertain),
        everything=_after(reviewed, max(contested), _most_uncertain),
        steps=tuple(_step(reviewed, count, seeds) for count in counts),
    )


def _step(scenes: Sequence[_Reviewed], count: int, seeds: int) -> ReviewStep:
    by_chance = [_after(scenes, count, _shuffled(seed)) for seed in range(seeds)]
    drawn = np.array([(one.ap, one.mean_iou) for one in by_chance])
    return ReviewStep(
        count=count,
        regions=sum(min(count, len(scene.contested)) for scene in scenes),
        most_uncertain=_after(scenes, count, _most_uncertain),
        largest_gain=_after(scenes, count, _largest_gain),
        random=Quality(*drawn.mean(axis=0).tolist()),
        random_deviation=Quality(*drawn.std(axis=0).tolist()),
        least_uncertain=_after(scenes, count, _least_uncertain),
    )


def _after(scenes: Sequence[_Reviewed], count: int, order: Order) -> Quality:
    """Quality when the first ``count`` regions of each scene, in an order, have been reviewed."""
    quality = label_ap(np.concatenate([scene.iou(order(scene)[:count]) for scene in scenes]))
    return Quality(quality.ap, quality.mean_iou)


class _Reviewed:
    """Counts of one scene from which the IoU of every object follows, whoever owns the regions."""

    def __init__(self, scene: ReviewScene) -> None:
        objects, counts = len(scene.mask), scene.counts[:-1]
        instances = counts.shape[1] - 1
        majority, _ = majority_of_regions(scene.counts)
        right = truth(np.where(majority < instances, majority, -1).astype(np.int32), scene.instance_of_object)
        owner = owner_of_regions(scene.mask)
        self.contested: Int64[np.ndarray, " C"] = np.flatnonzero((scene.contested > 0) & ~scene.ignore)
        self.uncertainty, self.gain = scene.uncertainty, scene.gain
        self.points: Int64[np.ndarray, " S"] = np.asarray(counts.sum(axis=1)).ravel()
        self._instance = scene.instance_of_object
        self._total = np.asarray(scene.counts.sum(axis=0)).ravel()
        self._owner = np.where(owner >= 0, owner, objects)
        self._right = right
        column = np.append(np.where(self._instance >= 0, self._instance, instances), instances)
        region = np.arange(len(owner))
        by_region = counts.tocsr()
        self._shared = np.asarray(by_region[region, column[self._owner]]).ravel()
        self._right_shared = np.asarray(by_region[region, column[right]]).ravel()

    @property
    def objects(self) -> int:
        """Number of objects whose instance is known."""
        return int((~np.isnan(self.iou(self.contested[:0]))).sum())

    def iou(self, replaced: Int64[np.ndarray, " M"]) -> Float64[np.ndarray, " K"]:
        """IoU of each object, the truth in place of some regions' labels; NaN where its instance is not known."""
        owner, shared = self._owner.copy(), self._shared.copy()
        owner[replaced], shared[replaced] = self._right[replaced], self._right_shared[replaced]
        objects = len(self._instance)
        size = np.bincount(owner, weights=self.points, minlength=objects + 1)[:objects]
        inside = np.bincount(owner, weights=shared, minlength=objects + 1)[:objects]
        union = size + self._total[self._instance] - inside
        known = (self._instance >= 0) & (union > 0)
        return np.divide(inside, union, out=np.full(objects, np.nan), where=known)


def _most_uncertain(scene: _Reviewed) -> Int64[np.ndarray, " C"]:
    return scene.contested[np.argsort(-scene.uncertainty[scene.contested], kind="stable")]


def _least_uncertain(scene: _Reviewed) -> Int64[np.ndarray, " C"]:
    return scene.contested[np.argsort(scene.uncertainty[scene.contested], kind="stable")]


def _largest_gain(scene: _Reviewed) -> Int64[np.ndarray, " C"]:
    return scene.contested[np.argsort(-scene.gain[scene.contested], kind="stable")]


def _shuffled(seed: int) -> Order:
    def order(scene: _Reviewed) -> Int64[np.ndarray, " C"]:
        # the same for every count: more review of one seed is review of more regions, not of others
        return np.random.default_rng(seed).permutation(scene.contested)

    return order

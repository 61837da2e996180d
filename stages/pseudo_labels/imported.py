"""Labels in the form of GaPro's files (a class, an object and a probability a point) as ours, region by region."""

from __future__ import annotations

import numpy as np

from stages.posteriors.engines.links import eq2_probability, probit_moments, sigmoid_moments, step_moments
from stages.posteriors.membership import membership, region_sizes
from stages.pseudo_labels.fusion import BACKGROUND, DETERMINED, OVERLAP
from stages.pseudo_labels.imported_objects import named_by_boxes
from stages.pseudo_labels.imported_regions import GivenLabels, Regions, check_values, grouped
from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import LabelSource, Scene, Superpoints
from stages.typing import Bool, Float32, Float64, Int, UInt8

LINKS = ("sigmoid", "probit", "step", "identity")
"""How probabilities may follow from latent moments; GaPro's text has sigmoid, eq. (2), its code probit."""
NEAR = 0.05
"""Median distance of probabilities from those of a link up to which they are taken to follow from it."""
OCCUPANCY, MARGIN = 0.9, 1e-4
"""Share of its points that puts a region into a box grown by so many metres; files do not say what was contested."""


def import_labels(
    scene: Scene,
    superpoints: Superpoints,
    given: GivenLabels,
    given_superpoint: Int[np.ndarray, " L"] | None,
    semantic_of_class: tuple[int, ...],
    background: int,
) -> tuple[PseudoLabels, list[str]]:
    """Our labels of one scene from those of a file, and what is odd about them, in sentences.

    Regions are those of the file, or else those of ``superpoints``, split where labels differ within one.
    ``semantic_of_class`` is the file's id of each of the scene's classes, ``background`` that of background.

    The probability is that of the region's owner. What is left of 1 counts as background's for an object, and as that
    of the boxes around, in equal shares, for background: files do not say whose it was. The variance is that of the
    label, from the latent moments by the link that fits them to the probabilities (the file does not name it); the
    latent mean is turned toward the owner. Raises ValueError for files that do not belong to this scene, or its boxes.
    """
    regions = grouped(scene, superpoints, given, given_superpoint)
    check_values(regions, background)
    regions, renumbered = named_by_boxes(regions, scene, semantic_of_class)
    candidate = _candidate(scene, regions)
    source, (link, distance) = _source(regions), _link(regions)
    mask = np.arange(len(scene.boxes))[:, None] == np.where(regions.owned, regions.instance, -1)
    probability = _probability(regions, mask, candidate)
    variance = np.where(probability > 0, _variance(regions, link, source, probability), np.float32(0))
    fitted, nothing = mask & regions.latent, np.float32(np.nan)
    unchanged = np.array_equal(regions.superpoint, superpoints.superpoint)
    labels = PseudoLabels(
        scene=scene.scene,
        superpoint=regions.superpoint,
        mask=mask,
        mean=probability,
        variance=variance,
        probability=probability.copy(),
        latent_mean=np.where(fitted, _toward_owner(regions, link).astype(np.float32), nothing),
        latent_variance=np.where(fitted, regions.latent_variance.astype(np.float32), nothing),
        source=source,
        contested=_contested(candidate, source),
        ignore=regions.ignore,
        uncertainty=_uncertainty(regions, source),
        boxes=scene.boxes,
        class_names=scene.class_names,
        frame=scene.frame,
        offset=scene.offset,
        link=link,
        superpoint_method=superpoints.method if unchanged else "imported",
        superpoint_parameters=superpoints.parameters if unchanged else {},
    )
    oddities = _oddities(len(regions.semantic), len(superpoints), distance, unchanged=unchanged)
    return labels, [*renumbered, *oddities]


def _source(regions: Regions) -> UInt8[np.ndarray, " S"]:
    """Who decided: a Gaussian Process where there are latent moments, and where background is not certain (files keep
    no moments of it); another rule where an object is not certain and has none."""
    certain = np.where(regions.owned, LabelSource.SINGLE_BOX, LabelSource.BACKGROUND)
    doubtful = np.where(regions.owned, LabelSource.FALLBACK, LabelSource.GP)
    source = np.where(regions.probability < 1, doubtful, certain)
    source = np.where(regions.latent, LabelSource.GP, source)
    return np.where(regions.ignore, LabelSource.NONE, source).astype(np.uint8)


def _predicted(regions: Regions, link: str) -> Float64[np.ndarray, " S"]:
    """Probability that follows from the latent moments by a link."""
    mean, variance = regions.latent_mean, np.maximum(regions.latent_variance, 0)
    if link == "sigmoid":
        return eq2_probability(mean, variance)
    if link == "identity":
        return mean
    return (probit_moments if link == "probit" else step_moments)(mean, variance)[0]


def _link(regions: Regions) -> tuple[str, float]:
    """The link that fits latent moments and probabilities best, and their median distance under it.

    All but ``identity`` are symmetric, so that it does not matter toward which owner the latent mean points.
    """
    chosen = regions.owned & regions.latent
    if not chosen.any():
        return "none", 0.0
    found = {}
    for link in LINKS:
        predicted, probability = _predicted(regions, link)[chosen], regions.probability[chosen]
        away = np.abs(predicted - probability)
        if link != "identity":
            away = np.minimum(away, np.abs(1 - predicted - probability))
        found[link] = float(np.median(away))
    best = min(found, key=lambda link: found[link])
    return best, found[best]


def _toward_owner(regions: Regions, link: str) -> Float64[np.ndarray, " S"]:
    """Latent means with the sign that belongs to the owner's probability."""
    if link in {"identity", "none"}:
        return regions.latent_mean
    predicted = _predicted(regions, link)
    turned = np.abs(1 - predicted - regions.probability) < np.abs(predicted - regions.probability)
    return np.where(turned, -regions.latent_mean, regions.latent_mean)


def _candidate(scene: Scene, regions: Regions) -> Bool[np.ndarray, "K S"]:
    """Boxes around each region, which the file does not tell: those that hold most of it, else the best."""
    size = region_sizes(regions.superpoint, len(regions.semantic))
    share = membership(scene.xyz, regions.superpoint, size, scene.boxes.corners, MARGIN)
    if not len(share):
        return np.zeros(share.shape, bool)
    best = share.max(axis=0)
    return (share >= np.minimum(OCCUPANCY, best)) & (share > 0)


def _probability(
    regions: Regions, mask: Bool[np.ndarray, "K S"], candidate: Bool[np.ndarray, "K S"]
) -> Float32[np.ndarray, "K S"]:
    """Of each object: the file's where it is the owner, and its share of what background leaves."""
    unowned = ~regions.owned & ~regions.ignore
    rest = np.where(unowned, (1 - regions.probability) / np.maximum(candidate.sum(axis=0), 1), 0.0)
    return np.where(mask, regions.probability, candidate * rest).astype(np.float32)


def _variance(
    regions: Regions, link: str, source: UInt8[np.ndarray, " S"], probability: Float32[np.ndarray, "K S"]
) -> Float32[np.ndarray, "K S"]:
    """Variance of the label probability: by the link, that of a coin without latent moments, 0 where certain."""
    share = probability * (1 - probability)
    found = np.where(_doubtful(source), share, np.float32(0))
    chosen = np.flatnonzero(regions.latent)
    mean, variance = regions.latent_mean[chosen], regions.latent_variance[chosen]
    if link == "identity":  # of the joint posterior: ``joint_moments``
        found[:, chosen] = share[:, chosen] * variance / (1 + variance)
    elif link != "none":
        moments = {"sigmoid": sigmoid_moments, "probit": probit_moments, "step": step_moments}[link]
        found[:, chosen] = moments(mean, variance)[1]
    return found


def _doubtful(source: UInt8[np.ndarray, " S"]) -> Bool[np.ndarray, " S"]:
    return np.asarray((source == LabelSource.GP) | (source == LabelSource.FALLBACK))


def _contested(candidate: Bool[np.ndarray, "K S"], source: UInt8[np.ndarray, " S"]) -> UInt8[np.ndarray, " S"]:
    """Which kind of doubt: two or more boxes around the region, or background."""
    kind = np.where(candidate.sum(axis=0) > 1, OVERLAP, BACKGROUND)
    return np.where(_doubtful(source), kind, DETERMINED).astype(np.uint8)


def _uncertainty(regions: Regions, source: UInt8[np.ndarray, " S"]) -> Float32[np.ndarray, " S"]:
    """Entropy of the label being right or not, in [0, 1]: the shares of the other owners are not in the file."""
    share = np.where(_doubtful(source), np.clip(regions.probability, 0, 1), 1.0)
    parts = np.stack([share, 1 - share])
    entropy = -(parts * np.log2(np.where(parts > 0, parts, 1.0))).sum(axis=0)
    return np.clip(entropy, 0, 1).astype(np.float32)


def _oddities(regions: int, usual: int, distance: float, *, unchanged: bool) -> list[str]:
    found = []
    if not unchanged:
        found.append(
            f"its {regions} regions are not the {usual} of stage superpoints: evaluation and export work with them, "
            "training does not"
        )
    if distance > NEAR:
        found.append(
            f"its probabilities follow from its latent moments by no known link (median distance {distance:.2f}): "
            "variances are rough"
        )
    return found

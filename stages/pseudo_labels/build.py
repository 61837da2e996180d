"""Pseudo-labels of one scene from its posteriors."""

from __future__ import annotations

import numpy as np

from stages.geometry import box_volumes
from stages.pseudo_labels.coupling import Fusion
from stages.pseudo_labels.fusion import contested_kind, fuse, masks, uncertainty
from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import LabelSource, PairPosteriors, Scene, Superpoints
from stages.typing import Float32, Float64


def build_labels(scene: Scene, superpoints: Superpoints, posteriors: PairPosteriors, fusion: Fusion) -> PseudoLabels:
    """Fuses the posteriors of one scene into masks, moments and uncertainty."""
    fused = fuse(posteriors, fusion)
    ignore = fused.source == LabelSource.NONE
    corners = scene.boxes.corners
    rank = np.lexsort([*corners.T[::-1], box_volumes(corners)]).argsort()
    probability = fused.moments.probability
    doubt = uncertainty(probability, posteriors.candidate)
    return PseudoLabels(
        scene=scene.scene,
        superpoint=superpoints.superpoint,
        mask=masks(probability, rank, ignore),
        mean=_float32(fused.moments.mean),
        variance=_float32(fused.moments.variance),
        probability=_float32(probability),
        latent_mean=fused.latent_mean,
        latent_variance=fused.latent_variance,
        source=fused.source,
        contested=contested_kind(posteriors),
        ignore=ignore,
        uncertainty=np.where(ignore | (posteriors.owner >= 0), np.float32(0), doubt),
        boxes=scene.boxes,
        class_names=scene.class_names,
        frame=scene.frame,
        offset=scene.offset,
        link=posteriors.link,
        superpoint_method=superpoints.method,
        superpoint_parameters=superpoints.parameters,
    )


def _float32(values: Float64[np.ndarray, "K S"]) -> Float32[np.ndarray, "K S"]:
    return np.clip(values, 0.0, 1.0).astype(np.float32)


def empty_objects(labels: PseudoLabels) -> list[int]:
    """Objects to which no region was given."""
    return [int(k) for k in np.flatnonzero(~labels.mask.any(axis=1))]

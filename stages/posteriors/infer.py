"""Ownership of every region of one scene: membership, evidence, determined regions, pairs, posteriors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stages.features.handcrafted import region_means
from stages.geometry import scene_normals
from stages.groups import majority
from stages.posteriors.assemble import assemble
from stages.posteriors.background import floor_slab, in_any_box, planes
from stages.posteriors.config import PosteriorsConfig
from stages.posteriors.determine import Ownership, determine
from stages.posteriors.engines.base import Engine, PairSolution
from stages.posteriors.evidence.combine import NORMAL_NEIGHBORS, evidence_against
from stages.posteriors.membership import (
    canonical_order,
    contained_pairs,
    membership,
    region_sizes,
    share_of_region,
    without_containers,
)
from stages.posteriors.prior import evidence_prior, uniform_prior, with_background
from stages.posteriors.problems import Pair, ProblemParameters, background_pairs, overlap_pairs
from stages.posteriors.rules import nearest_center, smallest_box, truth
from stages.structures import Boxes, LabelSource, PairPosteriors, RegionFeatures, Scene, Superpoints
from stages.typing import Bool, Float64, Int32, Int64


@dataclass(frozen=True, eq=False)
class _View:
    """One scene with its boxes in canonical order."""

    scene: Scene
    superpoint: Int32[np.ndarray, " N"]
    size: Int64[np.ndarray, " S"]
    order: Int64[np.ndarray, " K"]

    def center(self) -> Float64[np.ndarray, "S 3"]:
        """Mean position of each region's points, metres."""
        return region_means(self.scene.xyz.astype(np.float64), self.superpoint, len(self.size))


def infer(
    scene: Scene,
    superpoints: Superpoints,
    features: RegionFeatures,
    config: PosteriorsConfig,
    engine: Engine | None,
) -> PairPosteriors:
    """Determined regions and the posteriors of the contested ones; ``engine`` None applies the configuration's rule.

    Raises ValueError for rule ``truth`` on a scan without instances.
    """
    order = canonical_order(scene.boxes.corners, scene.boxes.class_index)
    boxes = Boxes(scene.boxes.corners[order], scene.boxes.class_index[order], scene.boxes.instance[order])
    size = region_sizes(superpoints.superpoint, len(superpoints))
    view = _View(replace(scene, boxes=boxes), superpoints.superpoint, size, order)
    ownership = _ownership(view, config, with_evidence=engine is not None)
    if engine is None:
        ruled = _apply_rule(view, ownership, config)
        return assemble(ruled, [], [], order, "none", config.engine)
    pairs = _pairs(view, ownership, features, config)
    solutions = _solve(pairs, engine)
    return assemble(ownership, pairs, solutions, order, engine.link, config.engine)


def _ownership(view: _View, config: PosteriorsConfig, *, with_evidence: bool) -> Ownership:
    """Candidates, prior and determined regions."""
    scene, corners = view.scene, view.scene.boxes.corners
    share = membership(scene.xyz, view.superpoint, view.size, corners, config.margin)
    inside = share >= np.float32(config.occupancy)
    candidate = inside
    if config.containment is not None:
        candidate = without_containers(inside, contained_pairs(corners, config.containment))
    background = share_of_region(_background_points(scene, config), view.superpoint, view.size) >= config.occupancy
    if with_evidence and config.evidence:
        evidence = evidence_against(scene, view.superpoint, view.size, config.evidence, config.margin)
        prior = with_background(evidence_prior(candidate, evidence, corners), background)
    else:
        prior = uniform_prior(candidate, background)
    return determine(candidate, inside, prior, background)


def _background_points(scene: Scene, config: PosteriorsConfig) -> Bool[np.ndarray, " N"]:
    """Points in background boxes; points that are not finite are in none."""
    inside = np.zeros(len(scene), bool)
    finite = scene.finite
    if config.background == "none" or not finite.any():
        return inside
    xyz = scene.xyz[finite]
    if config.background == "floor":
        inside[finite] = floor_slab(xyz, config.background_thickness)
    elif config.background == "planes":
        normals = scene_normals(scene, NORMAL_NEIGHBORS)[finite]
        inside[finite] = planes(xyz, normals, config.background_thickness)
    elif scene.background_boxes is None:
        raise ValueError("the scan brings no background boxes (key background_boxes)")
    else:
        inside[finite] = in_any_box(xyz, scene.background_boxes, config.margin)
    return inside


def _pairs(view: _View, ownership: Ownership, features: RegionFeatures, config: PosteriorsConfig) -> list[Pair]:
    """All binary problems of the scene."""
    parameters = ProblemParameters(config.skip_overlap, config.maximum_determined, config.background_reach)
    corners = view.scene.boxes.corners
    overlapping = overlap_pairs(ownership, features.feature, corners, parameters)
    return overlapping + background_pairs(ownership, features.feature, view.center(), corners, parameters)


def _solve(pairs: list[Pair], engine: Engine) -> list[PairSolution | None]:
    """Solutions in the order of pairs, None where there was nothing to learn from."""
    solutions = iter(engine.solve([pair.problem for pair in pairs if pair.problem is not None]))
    return [None if pair.problem is None else next(solutions) for pair in pairs]


def _apply_rule(view: _View, ownership: Ownership, config: PosteriorsConfig) -> Ownership:
    """All contested regions decided by a rule, or left without a label by the rule ``none``."""
    corners = view.scene.boxes.corners
    contested = ownership.owner < 0
    source = LabelSource.RULE
    if config.engine == "truth":
        if view.scene.instance is None:
            raise ValueError("the scan has no ground-truth instances, which the rule truth reads")
        owner = truth(majority(view.superpoint, view.scene.instance, len(view.size)), view.scene.boxes.instance)
        contested, source = np.ones(len(owner), bool), LabelSource.TRUTH
    elif config.engine == "smallest_box":
        owner = smallest_box(ownership.candidate, corners)
    elif config.engine == "nearest_center":
        owner = nearest_center(ownership.candidate, corners, view.center())
    else:
        owner, source = np.full(len(contested), len(corners), np.int32), LabelSource.NONE
    return replace(
        ownership,
        owner=np.where(contested, owner, ownership.owner).astype(np.int32),
        source=np.where(contested, source, ownership.source).astype(np.uint8),
    )

"""Ownership of every region of one scene: membership, evidence, determined regions, pairs, posteriors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from stages.features.handcrafted import region_means
from stages.groups import majority
from stages.inference.records import Predictions
from stages.posteriors.assemble import assemble
from stages.posteriors.background import floor_slab, in_any_box, planes
from stages.posteriors.config import PosteriorsConfig, RuleName
from stages.posteriors.determine import Ownership, determine, leave_to_posterior, with_corrections
from stages.posteriors.engines.base import Engine, PairSolution
from stages.posteriors.evidence.combine import evidence_against
from stages.posteriors.faces import face_contacts, face_deviation, soft_membership, touching_regions, trust_in_faces
from stages.posteriors.graph.field import GraphProblem, solve_graph
from stages.posteriors.graph.observations import graph_problem
from stages.posteriors.graph.pairs import observed_by_pairs
from stages.posteriors.learnt import network_probability, with_network
from stages.posteriors.membership import (
    canonical_order,
    contained_pairs,
    membership,
    region_sizes,
    share_of_region,
    without_containers,
)
from stages.posteriors.prior import evidence_prior, nested_regions, uniform_prior, with_background
from stages.posteriors.problems import Pair, ProblemParameters, background_pairs, overlap_pairs
from stages.posteriors.rules import nearest_center, smallest_box, truth
from stages.structures import Boxes, Faces, FaceTrust, LabelSource, PairPosteriors, RegionFeatures, Scene, Superpoints
from stages.typing import Bool, Float64, Int32, Int64

RULES: tuple[str, ...] = get_args(RuleName)
OCCUPANCY, OCCUPANCY_GIVEN = 0.9, 0.99
"""Share of its points that puts a region into a box: of our own regions, and of larger ones that came with the scan."""
POSSIBLE, HALF = 0.1, 0.5
"""Probability of lying in an uncertain box that makes it a candidate, and that counts when boxes are nested."""


@dataclass(frozen=True, eq=False)
class View:
    """One scene with its boxes in canonical order."""

    scene: Scene
    superpoint: Int32[np.ndarray, " N"]
    size: Int64[np.ndarray, " S"]
    order: Int64[np.ndarray, " K"]

    def center(self) -> Float64[np.ndarray, "S 3"]:
        """Mean position of each region's points, metres."""
        return region_means(self.scene.xyz.astype(np.float64), self.superpoint, len(self.size))


@dataclass(frozen=True, eq=False)
class Prepared:
    """One scene up to the point where an engine takes over; boxes in canonical order."""

    view: View
    superpoints: Superpoints
    ownership: Ownership
    faces: Faces
    seed: Bool[np.ndarray, "K S"] | None
    """regions that touch the faces of exact boxes"""

    def pairs(self, features: RegionFeatures, config: PosteriorsConfig) -> list[Pair]:
        """All binary problems of the scene: overlapping pairs, then boxes against background."""
        parameters = ProblemParameters(config.skip_overlap, config.maximum_determined, config.background_reach)
        corners = self.view.scene.boxes.corners
        overlapping = overlap_pairs(self.ownership, features.feature, corners, parameters)
        center = self.view.center()
        return overlapping + background_pairs(self.ownership, features.feature, center, corners, parameters)

    def graph(self, observed: Float64[np.ndarray, "K_plus_1 S"] | None = None) -> GraphProblem:
        """The joint problem of the scene; ``observed`` probabilities of owners in place of the prior."""
        prior = self.ownership.prior.astype(np.float64) if observed is None else observed
        return graph_problem(self.ownership, prior, self.superpoints, self.view.size, self.seed)


def prepare(
    scene: Scene,
    superpoints: Superpoints,
    config: PosteriorsConfig,
    predictions: Predictions | None = None,
    said: Int32[np.ndarray, " S"] | None = None,
) -> Prepared:
    """Candidates, prior and determined regions of one scene.

    ``predictions`` are those of the round before, ``said`` is what people said of each region: the box that owns it, K
    for background, -1 nothing. Raises ValueError for background boxes on a scan that brings none.
    """
    order = canonical_order(scene.boxes.corners, scene.boxes.class_index)
    boxes = Boxes(scene.boxes.corners[order], scene.boxes.class_index[order], scene.boxes.instance[order])
    size = region_sizes(superpoints.superpoint, len(superpoints))
    view = View(replace(scene, boxes=boxes), superpoints.superpoint, size, order)
    with_evidence = bool(config.evidence) and (config.engine == "prior" or config.engine not in RULES)
    faces, seed = _faces(view, config.faces if with_evidence else "plain", config.face_deviation)
    ownership = _ownership(view, superpoints, config, faces, predictions, with_evidence=with_evidence)
    if said is not None:
        canonical = np.array([*np.argsort(order), len(order), -1], np.int32)  # the last of which is for -1
        ownership = with_corrections(ownership, canonical[said])
    return Prepared(view, superpoints, ownership, faces, seed)


def conclude(
    prepared: Prepared,
    config: PosteriorsConfig,
    engine: Engine | None,
    pairs: Sequence[Pair],
    solutions: Sequence[PairSolution | None],
) -> PairPosteriors:
    """The posteriors of a prepared scene: from its solved ``pairs``, jointly, or by the configuration's rule.

    Raises ValueError for rule ``truth`` on a scan without instances.
    """
    order, faces, ownership = prepared.view.order, prepared.faces, prepared.ownership
    if config.engine == "graph":
        observed = None
        if engine is not None:
            unordered = np.arange(len(order), dtype=np.int64)
            observed = observed_by_pairs(assemble(ownership, pairs, solutions, unordered, engine.link, "pairs", faces))
        joint = solve_graph(prepared.graph(observed), config.device)
        return assemble(leave_to_posterior(ownership), [], [], order, "identity", config.engine, faces, joint)
    if engine is None:
        ruled = _apply_rule(prepared.view, ownership, config)
        return assemble(ruled, [], [], order, "none", config.engine, faces)
    return assemble(ownership, pairs, solutions, order, engine.link, config.engine, faces)


def _faces(
    view: View, trust: FaceTrust | Literal["auto"], deviation: float | None
) -> tuple[Faces, Bool[np.ndarray, "K S"] | None]:
    """How far faces are trusted, decided by the data for ``auto``, and the regions that touch exact ones.

    ``deviation`` None: that of uncertain faces is estimated.
    """
    corners, finite = view.scene.boxes.corners, view.superpoint >= 0
    xyz = view.scene.xyz[finite]
    contacts = face_contacts(xyz, corners)
    faces = trust_in_faces(xyz, corners, contacts) if trust == "auto" else Faces(trust, contacts.touched)
    if faces.trust == "exact":
        return faces, touching_regions(contacts, view.superpoint[finite], len(view.size))
    if faces.trust == "uncertain":
        faces = replace(faces, deviation=deviation or face_deviation(xyz, corners))
    return faces, None


def _ownership(
    view: View,
    superpoints: Superpoints,
    config: PosteriorsConfig,
    faces: Faces,
    predictions: Predictions | None,
    *,
    with_evidence: bool,
) -> Ownership:
    """Candidates, prior and determined regions."""
    scene, corners = view.scene, view.scene.boxes.corners
    occupancy = config.occupancy or (OCCUPANCY_GIVEN if superpoints.method == "given" else OCCUPANCY)
    if faces.trust == "uncertain":
        finite = view.superpoint >= 0
        share = soft_membership(scene.xyz[finite], view.superpoint[finite], view.size, corners, faces.deviation)
        inside = share >= POSSIBLE
    else:
        share = membership(scene.xyz, view.superpoint, view.size, corners, config.margin)
        inside = share >= np.float32(occupancy)
    candidate = inside
    if config.containment is not None:
        candidate = without_containers(inside, contained_pairs(corners, config.containment))
    in_background = _background_points(scene, superpoints, config)
    background = share_of_region(in_background, view.superpoint, view.size) >= occupancy
    nested = nested_regions(candidate & (share >= HALF), corners)
    if not with_evidence:
        return determine(candidate, inside, nested, uniform_prior(candidate, background), background)
    evidence = evidence_against(scene, superpoints, view.size, config.evidence, config.margin, faces.deviation)
    if faces.trust == "uncertain":
        evidence = evidence - np.log(np.maximum(share, POSSIBLE))
    prior = with_background(evidence_prior(candidate, nested, evidence, corners), background)
    if predictions is not None and config.network_weight > 0:
        probability = network_probability(predictions, prior, view.size)
        beyond = faces.trust == "uncertain"
        candidate, prior = with_network(candidate, prior, probability, config.network_weight, beyond=beyond)
    return determine(candidate, inside, nested, prior, background)


def _background_points(scene: Scene, superpoints: Superpoints, config: PosteriorsConfig) -> Bool[np.ndarray, " N"]:
    """Points in background boxes; points that are not finite are in none."""
    inside = np.zeros(len(scene), bool)
    finite = scene.finite
    if config.background == "none" or not finite.any():
        return inside
    xyz = scene.xyz[finite]
    if config.background == "floor":
        inside[finite] = floor_slab(xyz, config.background_thickness)
    elif config.background == "planes":
        inside[finite] = planes(xyz, superpoints.surface.normal[finite], config.background_thickness)
    elif scene.background_boxes is None:
        raise ValueError("the scan brings no background boxes (key background_boxes)")
    else:
        inside[finite] = in_any_box(xyz, scene.background_boxes, config.margin)
    return inside


def solve_pairs(scenes: Sequence[Sequence[Pair]], engine: Engine | None) -> list[list[PairSolution | None]]:
    """Solutions of each scene in the order of its pairs, None where there was nothing to learn from.

    All scenes are given to the engine at once: on an accelerator they share its batches.
    """
    if engine is None:
        return [[] for _ in scenes]
    problems = [pair.problem for pairs in scenes for pair in pairs if pair.problem is not None]
    solutions = iter(engine.solve(problems))
    return [[None if pair.problem is None else next(solutions) for pair in pairs] for pairs in scenes]


def _apply_rule(view: View, ownership: Ownership, config: PosteriorsConfig) -> Ownership:
    """All contested regions decided by a rule, or left without a label by the rule ``none``."""
    corners = view.scene.boxes.corners
    contested = ownership.owner < 0
    source = LabelSource.RULE
    if config.engine == "prior":
        owner = ownership.prior.argmax(axis=0)
    elif config.engine == "truth":
        if view.scene.instance is None:
            raise ValueError("the scan has no ground-truth instances, which the rule truth reads")
        owner = truth(majority(view.superpoint, view.scene.instance, len(view.size)), view.scene.boxes.instance)
        contested, source = ~ownership.by_people, LabelSource.TRUTH
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

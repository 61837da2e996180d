"""All evidence against each box, summed to one score per box and region."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np

from stages.geometry import given_normals, mesh_edges_among
from stages.posteriors.evidence.facing import facing, orient
from stages.posteriors.evidence.floor import floor_evidence, floor_points
from stages.posteriors.evidence.straddling import coarse_partitions, straddling
from stages.structures import Scene
from stages.superpoints.neighbors import edge_lengths, nearest_neighbors, undirected_edges
from stages.superpoints.normals import point_normals
from stages.typing import Float64, Int32, Int64

Kind = Literal["straddling", "floor", "facing"]
WEIGHT: dict[Kind, float] = {"straddling": 2.5, "floor": 4.0, "facing": 3.0}
"""Nats of log odds at full evidence, fitted on real rooms (straddling enters by its square root)."""
EDGE_NEIGHBORS = 9
NORMAL_NEIGHBORS = 16
SMOOTH_NEIGHBORS = 40


def evidence_against(
    scene: Scene,
    superpoint: Int32[np.ndarray, " N"],
    size: Int64[np.ndarray, " S"],
    kinds: Collection[Kind],
    margin: float,
) -> Float64[np.ndarray, "K S"]:
    """Score g >= 0 in nats: how much speaks against region s being part of what box k holds.

    Only finite points take part; regions without points get 0. An empty selection of ``kinds`` gives zeros.
    """
    corners = scene.boxes.corners
    score = np.zeros((len(corners), len(size)))
    finite = np.flatnonzero(superpoint >= 0)
    if not kinds or len(finite) <= SMOOTH_NEIGHBORS or not len(corners):
        return score
    xyz, region = scene.xyz[finite], superpoint[finite]
    neighbors = nearest_neighbors(xyz, SMOOTH_NEIGHBORS)
    given = given_normals(scene)
    normals = point_normals(xyz, neighbors[:, :NORMAL_NEIGHBORS]) if given is None else given[finite]
    if "straddling" in kinds:
        edges = (
            undirected_edges(neighbors[:, :EDGE_NEIGHBORS]) if scene.faces is None else mesh_edges_among(scene, finite)
        )
        rgb = None if scene.rgb is None else scene.rgb[finite]
        partitions = coarse_partitions(rgb, normals, edges, edge_lengths(xyz, edges))
        score += WEIGHT["straddling"] * np.sqrt(straddling(xyz, partitions, region, size, corners))
    if "floor" in kinds:
        on_floor = floor_points(xyz, normals, point_normals(xyz, neighbors))
        score += WEIGHT["floor"] * floor_evidence(xyz, on_floor, region, size, corners, margin)
    if "facing" in kinds:
        oriented = orient(xyz, normals, neighbors)
        score += WEIGHT["facing"] * facing(xyz, oriented, region, len(size), corners)
    return score

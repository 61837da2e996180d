"""From a scene to its superpoints: which graph, which weights, which points may join."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stages.geometry import mesh_edges_among, scene_normals
from stages.groups import contiguous
from stages.structures import Scene, Superpoints
from stages.superpoints.felzenszwalb import segment
from stages.superpoints.neighbors import edge_lengths, nearest_neighbors, undirected_edges
from stages.superpoints.region_graph import region_graph
from stages.superpoints.split import same_boxes
from stages.superpoints.weights import color_weights, normal_weights
from stages.typing import Float64, Int32

Method = Literal["given", "mesh", "points", "singletons"]
Weight = Literal["normals", "color", "both"]


@dataclass(frozen=True)
class GraphParameters:
    """Parameters of segmentation on a graph; every one is stored with the partition."""

    neighbors: int
    """neighbours a point, for graphs without a mesh"""
    normal_neighbors: int
    """neighbours of a point's tangent plane"""
    weight: Weight
    scale: float
    """the threshold k of Felzenszwalb & Huttenlocher"""
    minimum_size: int
    """points of the smallest region"""
    split_by_boxes: bool
    margin: float
    """metres by which boxes are grown before regions are split by them"""


def partition_scene(scene: Scene, method: Method, parameters: GraphParameters) -> Superpoints:
    """The superpoints of one scene; points that are not finite get -1.

    ``given`` takes the partition that came with the scan, ``mesh`` and ``points`` segment a graph, ``singletons``
    makes every point its own region. Raises ValueError where the scene lacks what the method needs.
    """
    finite = np.flatnonzero(scene.finite)
    xyz = scene.xyz[finite]
    edges = _edges(scene, finite, xyz, method, parameters)
    if method == "given":
        if scene.given_superpoint is None:
            raise ValueError("the scan brings no partition of its own")
        local = contiguous(scene.given_superpoint[finite])[0]
    elif method == "singletons":
        local = np.arange(len(finite), dtype=np.int32)
    else:
        local = _segment_graph(scene, finite, edges, parameters)
    count = int(local.max()) + 1 if len(local) else 0
    indptr, neighbor, contacts = region_graph(local, edges, count)
    superpoint = np.full(len(scene), -1, np.int32)
    superpoint[finite] = local
    return Superpoints(superpoint, indptr, neighbor, contacts, method, _recorded(method, parameters))


def _recorded(method: Method, parameters: GraphParameters) -> dict[str, Any]:
    """The parameters that the method used."""
    if method in ("given", "singletons"):
        return {}
    unused = {"neighbors", "normal_neighbors"} if method == "mesh" else set()
    return {name: value for name, value in vars(parameters).items() if name not in unused}


def _edges(
    scene: Scene, finite: np.ndarray, xyz: np.ndarray, method: Method, parameters: GraphParameters
) -> Int32[np.ndarray, "E 2"]:
    """Edges between finite points, in their numbering: of the mesh where there is one, else of nearest neighbours."""
    use_mesh = method == "mesh" or (method == "given" and scene.faces is not None)
    if use_mesh:
        return mesh_edges_among(scene, finite)
    return undirected_edges(nearest_neighbors(xyz, parameters.neighbors))


def _segment_graph(
    scene: Scene, finite: np.ndarray, edges: Int32[np.ndarray, "E 2"], parameters: GraphParameters
) -> Int32[np.ndarray, " M"]:
    """Felzenszwalb's segmentation of the finite points."""
    xyz = scene.xyz[finite]
    if parameters.split_by_boxes:
        edges = edges[same_boxes(xyz, scene.boxes.corners, edges, parameters.margin)]
    weight = _weights(scene, finite, edges, parameters)
    return segment(edges, weight, edge_lengths(xyz, edges), len(finite), parameters.scale, parameters.minimum_size)


def _weights(
    scene: Scene, finite: np.ndarray, edges: Int32[np.ndarray, "E 2"], parameters: GraphParameters
) -> Float64[np.ndarray, " E"]:
    """Weights from normals, colours or their sum; scans without colour are segmented by normals alone."""
    weight = np.zeros(len(edges))
    if parameters.weight in ("normals", "both") or scene.rgb is None:
        weight += normal_weights(scene_normals(scene, parameters.normal_neighbors)[finite], edges)
    if parameters.weight in ("color", "both") and scene.rgb is not None:
        weight += color_weights(scene.rgb[finite], edges)
    return weight

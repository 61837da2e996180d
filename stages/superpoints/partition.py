"""From a scene to its superpoints: which graph, which weights, which points may join."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stages.groups import contiguous
from stages.structures import Scene, Superpoints
from stages.superpoints.affinity import edge_affinities
from stages.superpoints.felzenszwalb import numbered, segment
from stages.superpoints.region_graph import region_graph
from stages.superpoints.split import same_boxes
from stages.superpoints.surface import Cloud, cloud_of, surface_of
from stages.superpoints.weights import color_weights, normal_weights
from stages.typing import Bool, Float64, Int32

Method = Literal["given", "mesh", "points", "singletons"]
Weight = Literal["normals", "color", "both"]


@dataclass(frozen=True)
class GraphParameters:
    """Parameters of segmentation on a graph; every one is stored with the partition."""

    neighbors: int
    """neighbours a point in the graph, where that is not the mesh"""
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
    """The superpoints of one scene and its surface; points that are not finite get -1.

    ``given`` takes the partition that came with the scan, ``mesh`` and ``points`` segment a graph, ``singletons``
    makes every point its own region. The graph is that of nearest neighbours under ``points`` and without a mesh, else
    the mesh. Raises ValueError where the scene lacks what the method needs.
    """
    if method == "given" and scene.given_superpoint is None:
        raise ValueError("the scan brings no partition of its own")
    on_mesh = method == "mesh" or (method != "points" and scene.faces is not None)
    cloud = cloud_of(
        scene, on_mesh=on_mesh, neighbors=parameters.neighbors, normal_neighbors=parameters.normal_neighbors
    )
    superpoint = _superpoint(scene, cloud, method, parameters)
    count = int(superpoint.max(initial=-1)) + 1
    affinity = edge_affinities(cloud.lab, cloud.normals, cloud.graph)
    graph = region_graph(superpoint[cloud.place], cloud.graph.edges, affinity, count)
    return Superpoints(
        superpoint,
        graph.indptr,
        graph.neighbor,
        graph.contacts,
        graph.affinity,
        surface_of(cloud, len(scene)),
        method,
        _recorded(method, parameters),
    )


def _recorded(method: Method, parameters: GraphParameters) -> dict[str, Any]:
    """The parameters that the partition depends on."""
    if method in ("given", "singletons"):
        return {}
    unused = {"neighbors", "normal_neighbors"} if method == "mesh" else set()
    return {name: value for name, value in vars(parameters).items() if name not in unused}


def _superpoint(scene: Scene, cloud: Cloud, method: Method, parameters: GraphParameters) -> Int32[np.ndarray, " N"]:
    """The region of each point of the scan."""
    superpoint = np.full(len(scene), -1, np.int32)
    finite = scene.finite
    if method == "given" and scene.given_superpoint is not None:
        superpoint[finite] = contiguous(scene.given_superpoint[finite])[0]
    elif method == "singletons":
        superpoint[finite] = np.arange(np.count_nonzero(finite), dtype=np.int32)
    else:
        superpoint[cloud.place] = _segment_cloud(scene, cloud, parameters)
        superpoint = numbered(superpoint, len(superpoint))
    return superpoint


def _segment_cloud(scene: Scene, cloud: Cloud, parameters: GraphParameters) -> Int32[np.ndarray, " M"]:
    """Felzenszwalb's segmentation of the cloud."""
    edges, length = cloud.graph.edges, cloud.graph.length
    if parameters.split_by_boxes:
        kept: Bool[np.ndarray, " E"] = same_boxes(cloud.xyz, scene.boxes.corners, edges, parameters.margin)
        edges, length = edges[kept], length[kept]
    weight = _weights(cloud, edges, parameters)
    return segment(edges, weight, length, len(cloud.xyz), parameters.scale, parameters.minimum_size)


def _weights(cloud: Cloud, edges: Int32[np.ndarray, "E 2"], parameters: GraphParameters) -> Float64[np.ndarray, " E"]:
    """Weights from normals, colours or their sum; scans without colour are segmented by normals alone."""
    weight = np.zeros(len(edges))
    if parameters.weight in ("normals", "both") or cloud.rgb is None:
        weight += normal_weights(cloud.normals, edges)
    if parameters.weight in ("color", "both") and cloud.rgb is not None:
        weight += color_weights(cloud.rgb, edges)
    return weight

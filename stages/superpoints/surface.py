"""The geometry of a scan, computed once: neighbours, graph, normals, and what follows from them for every point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.structures import Scene, Surface
from stages.superpoints.coarse import coarse_partitions
from stages.superpoints.felzenszwalb import numbered
from stages.superpoints.floor import floor_points
from stages.superpoints.graph import PointGraph, mesh_graph, neighbor_graph
from stages.superpoints.lab import to_lab
from stages.superpoints.neighbors import nearest_neighbors, spatial_order
from stages.superpoints.normals import given_normals, point_normals
from stages.superpoints.orientation import orient
from stages.typing import Float32, Float64, Int32, Int64, UInt8

LEAST_NEIGHBORS = 16
"""Neighbours that orientation and the floor's smooth normals want, whatever the other parameters are."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """The M finite points of a scan in spatial order: whatever walks along the graph then stays in the cache."""

    place: Int64[np.ndarray, " M"]
    """of each point in the scan"""
    xyz: Float32[np.ndarray, "M 3"]
    rgb: UInt8[np.ndarray, "M 3"] | None
    lab: Float64[np.ndarray, "M 3"] | None
    neighbors: Int32[np.ndarray, "M C"]
    """nearest first"""
    normals: Float64[np.ndarray, "M 3"]
    """of unit length, up to sign"""
    graph: PointGraph


def cloud_of(scene: Scene, *, on_mesh: bool, neighbors: int, normal_neighbors: int) -> Cloud:
    """The finite points with the graph of their mesh or of their nearest ``neighbors``.

    Normals are given ones, else fitted to ``normal_neighbors``. Raises ValueError where there is no mesh.
    """
    finite = np.flatnonzero(scene.finite)
    place = finite[spatial_order(scene.xyz[finite])]
    xyz = scene.xyz[place]
    nearest = nearest_neighbors(xyz, max(neighbors, normal_neighbors, LEAST_NEIGHBORS))
    graph = mesh_graph(scene, place) if on_mesh else neighbor_graph(xyz, nearest, neighbors)
    given = given_normals(scene)
    normals = point_normals(xyz, nearest, normal_neighbors) if given is None else given[place]
    rgb = None if scene.rgb is None else scene.rgb[place]
    return Cloud(place, xyz, rgb, None if rgb is None else to_lab(rgb), nearest, normals, graph)


def surface_of(cloud: Cloud, count: int) -> Surface:
    """What later stages ask of the geometry, at all ``count`` points of the scan."""
    normal = np.zeros((count, 3), np.float32)
    normal[cloud.place] = orient(cloud.xyz, cloud.normals, cloud.neighbors)
    on_floor = np.zeros(count, bool)
    on_floor[cloud.place] = floor_points(cloud.xyz, cloud.normals, cloud.neighbors)
    coarse = np.full((2, count), -1, np.int32)
    coarse[:, cloud.place] = coarse_partitions(cloud.lab, cloud.normals, cloud.graph)
    coarse = np.stack([numbered(partition, count) for partition in coarse])
    return Surface(normal, coarse, on_floor)

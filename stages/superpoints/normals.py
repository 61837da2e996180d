"""Surface normals: of points by principal components of their neighbourhood, of mesh vertices from their faces."""

from __future__ import annotations

import numpy as np

from stages.typing import Float, Float64, Int32

BLOCK = 8_192
"""Points at once: their neighbourhoods stay in the processor's cache."""


def point_normals(xyz: Float[np.ndarray, "N 3"], neighbors: Int32[np.ndarray, "N C"]) -> Float64[np.ndarray, "N 3"]:
    """Unit normals up to sign: the direction of least variance among a point and its neighbours (Hoppe et al. 1992).

    Points with fewer than two neighbours get zeros, for no plane is defined.
    """
    normals = np.zeros((len(xyz), 3))
    if neighbors.shape[1] < 2:
        return normals
    for start in range(0, len(xyz), BLOCK):
        stop = min(start + BLOCK, len(xyz))
        center = xyz[start:stop, None, :].astype(np.float64)
        patch = np.concatenate([np.zeros_like(center), xyz[neighbors[start:stop]] - center], axis=1)
        patch -= patch.mean(axis=1, keepdims=True)
        covariance = np.matmul(patch.transpose(0, 2, 1), patch)
        normals[start:stop] = np.linalg.eigh(covariance)[1][:, :, 0]
    return normals


def mesh_normals(xyz: Float[np.ndarray, "N 3"], faces: Int32[np.ndarray, "F 3"]) -> Float64[np.ndarray, "N 3"]:
    """Unit vertex normals: sum of the normals of the faces around a vertex, weighted by area; zeros without faces."""
    corner = xyz[faces].astype(np.float64)
    face_normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normals = np.zeros((len(xyz), 3))
    for column in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, column], face_normals[:, axis], minlength=len(xyz))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)

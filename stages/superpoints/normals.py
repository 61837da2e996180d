"""Surface normals: of points by principal components of their neighbourhood, of mesh vertices from their faces."""

from __future__ import annotations

import numpy as np

from stages.structures import Scene
from stages.superpoints.compilation import compiled
from stages.typing import Float, Float64, Int32, Int64

SWEEPS = 20
"""Jacobi's method needs about five for three axes."""


def given_normals(scene: Scene) -> Float64[np.ndarray, "N 3"] | None:
    """Unit normals, up to sign, of the scan itself, else of its mesh; 0 where not finite; None where it has neither."""
    finite = scene.finite
    if scene.normals is not None:
        return np.where(finite[:, None], scene.normals, 0.0).astype(np.float64)
    if scene.faces is None:
        return None
    return mesh_normals(scene.xyz, scene.faces[finite[scene.faces].all(axis=1)])


def point_normals(
    xyz: Float[np.ndarray, "N 3"], neighbors: Int32[np.ndarray, "N C"], columns: int
) -> Float64[np.ndarray, "N 3"]:
    """Unit normals up to sign: the direction of least variance among a point and its ``columns`` nearest neighbours.

    (Hoppe et al. 1992.) Points with fewer than two neighbours get zeros, for no plane is defined.
    """
    columns = min(columns, neighbors.shape[1])
    if columns < 2:
        return np.zeros((len(xyz), 3))
    return _point_normals(np.ascontiguousarray(xyz, np.float64), neighbors, columns)


def smooth_normals(
    xyz: Float[np.ndarray, "N 3"], neighbors: Int32[np.ndarray, "N C"], points: Int64[np.ndarray, " M"]
) -> Float64[np.ndarray, "M 3"]:
    """Unit normals up to sign at some ``points``: of all their neighbours' neighbourhoods together.

    A point counts as often as it is found, so that the middle weighs most.
    """
    if neighbors.shape[1] < 2:
        return np.zeros((len(points), 3))
    return _smooth_normals(np.ascontiguousarray(xyz, np.float64), neighbors, points)


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


@compiled
def _least_direction(
    matrix: Float64[np.ndarray, "3 3"], vectors: Float64[np.ndarray, "3 3"], result: Float64[np.ndarray, "3"]
) -> None:
    """The eigenvector of the least eigenvalue of a symmetric matrix, which is destroyed; ``vectors`` is scratch.

    Jacobi's rotations: they need no case of their own for equal eigenvalues (points on a line or at one place).
    """
    for row in range(3):
        for column in range(3):
            vectors[row, column] = 1.0 if row == column else 0.0
    for _ in range(SWEEPS):
        off = matrix[0, 1] ** 2 + matrix[0, 2] ** 2 + matrix[1, 2] ** 2
        if off <= 1e-34 * (matrix[0, 0] + matrix[1, 1] + matrix[2, 2]) ** 2:
            break
        for p, q in ((0, 1), (0, 2), (1, 2)):
            if matrix[p, q] == 0.0:
                continue
            ratio = (matrix[q, q] - matrix[p, p]) / (2.0 * matrix[p, q])
            tangent = 1.0 / (abs(ratio) + np.sqrt(ratio * ratio + 1.0))
            if ratio < 0.0:
                tangent = -tangent
            cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
            sine = tangent * cosine
            r = 3 - p - q
            matrix[p, p] -= tangent * matrix[p, q]
            matrix[q, q] += tangent * matrix[p, q]
            matrix[p, q] = matrix[q, p] = 0.0
            to_p, to_q = matrix[r, p], matrix[r, q]
            matrix[r, p] = matrix[p, r] = cosine * to_p - sine * to_q
            matrix[r, q] = matrix[q, r] = sine * to_p + cosine * to_q
            for row in range(3):
                to_p, to_q = vectors[row, p], vectors[row, q]
                vectors[row, p] = cosine * to_p - sine * to_q
                vectors[row, q] = sine * to_p + cosine * to_q
    least = 0
    for axis in range(1, 3):
        if matrix[axis, axis] < matrix[least, least]:
            least = axis
    for row in range(3):
        result[row] = vectors[row, least]


@compiled
def _covariance(moment: Float64[np.ndarray, "3 3"], total: Float64[np.ndarray, "3"], count: int) -> None:
    """Sums of products about the mean, in place, from those about any point and the ``total`` of the differences."""
    for row in range(3):
        for column in range(3):
            moment[row, column] -= total[row] * total[column] / count


@compiled
def _add(
    xyz: Float64[np.ndarray, "N 3"],
    point: int,
    center: int,
    moment: Float64[np.ndarray, "3 3"],
    total: Float64[np.ndarray, "3"],
) -> None:
    """Adds one point's difference to ``center``, and its products, to the sums."""
    x, y, z = xyz[point, 0] - xyz[center, 0], xyz[point, 1] - xyz[center, 1], xyz[point, 2] - xyz[center, 2]
    total[0] += x
    total[1] += y
    total[2] += z
    moment[0, 0] += x * x
    moment[0, 1] += x * y
    moment[0, 2] += x * z
    moment[1, 1] += y * y
    moment[1, 2] += y * z
    moment[2, 2] += z * z
    moment[1, 0], moment[2, 0], moment[2, 1] = moment[0, 1], moment[0, 2], moment[1, 2]


@compiled
def _point_normals(
    xyz: Float64[np.ndarray, "N 3"], neighbors: Int32[np.ndarray, "N C"], columns: int
) -> Float64[np.ndarray, "N 3"]:
    normals = np.empty((len(xyz), 3))
    moment, vectors, total = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    for point in range(len(xyz)):
        moment[:] = 0.0
        total[:] = 0.0
        for column in range(columns):
            _add(xyz, neighbors[point, column], point, moment, total)
        _covariance(moment, total, columns + 1)
        _least_direction(moment, vectors, normals[point])
    return normals


@compiled
def _smooth_normals(
    xyz: Float64[np.ndarray, "N 3"], neighbors: Int32[np.ndarray, "N C"], points: Int64[np.ndarray, " M"]
) -> Float64[np.ndarray, "M 3"]:
    normals = np.empty((len(points), 3))
    moment, vectors, total = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    columns = neighbors.shape[1]
    for place in range(len(points)):
        point = points[place]
        moment[:] = 0.0
        total[:] = 0.0
        for first in range(-1, columns):
            middle = point if first < 0 else neighbors[point, first]
            _add(xyz, middle, point, moment, total)
            for second in range(columns):
                _add(xyz, neighbors[middle, second], point, moment, total)
        _covariance(moment, total, (columns + 1) ** 2)
        _least_direction(moment, vectors, normals[place])
    return normals

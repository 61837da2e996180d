"""Sparse factorisation, solution and selected inversion of the joint posterior's precision."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import SuperLU, splu

from stages.superpoints.compilation import compiled
from stages.typing import Float64, Int32


def solve_sparse(
    matrix: csr_array, weighted: Float64[np.ndarray, "C S"]
) -> tuple[Float64[np.ndarray, "C S"], Float64[np.ndarray, " S"]]:
    """Rows of ``weighted`` times the inverse of the symmetric, diagonally dominant ``matrix`` [S,S], and its diagonal.

    Raises ValueError where pivots off the diagonal were needed: the matrix then is not diagonally dominant.
    """
    if not len(weighted.T):
        return np.zeros_like(weighted), np.zeros(0)
    factors = factorised(matrix)
    return factors.solve(np.ascontiguousarray(weighted.T)).T, inverse_diagonal(factors)


def factorised(matrix: csr_array) -> SuperLU:
    """Factors of a symmetric, diagonally dominant matrix, with its pivots on the diagonal."""
    return splu(csc_array(matrix), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})


def inverse_diagonal(factors: SuperLU) -> Float64[np.ndarray, " S"]:
    """Diagonal of the inverse of a symmetric matrix from its factors, by selected inversion.

    Takahashi, Fagan, Chin (1973): with A = L D L^T, the entries of Z = A^-1 at the non-zeros of L follow from those of
    the columns to the right, Z_ij = [i = j] / D_j - sum_(k > j) Z_ik L_kj.
    """
    if not np.array_equal(factors.perm_r, factors.perm_c):
        raise ValueError("the precision of the region graph is not diagonally dominant: a negative affinity")
    lower = csc_array(factors.L)
    lower.sort_indices()
    pivots = np.asarray(factors.U.diagonal(), np.float64)
    diagonal = _takahashi(lower.indptr.astype(np.int32), lower.indices.astype(np.int32), lower.data, 1.0 / pivots)
    return np.asarray(diagonal[factors.perm_r])


@compiled
def _takahashi(
    start: Int32[np.ndarray, " S_plus_1"],
    row: Int32[np.ndarray, " E"],
    lower: Float64[np.ndarray, " E"],
    inverse_pivot: Float64[np.ndarray, " S"],
) -> Float64[np.ndarray, " S"]:
    """Diagonal of Z; columns of ``lower`` begin with their unit diagonal, rows rise."""
    count = len(start) - 1
    selected = np.zeros(len(row))
    place = np.full(count, -1, np.int32)  # where in column j a row stands
    for j in range(count - 1, -1, -1):
        first, last = start[j] + 1, start[j + 1]
        for p in range(first, last):
            place[row[p]] = p
        for q in range(first, last):
            # column k of Z holds every pair (i, k) of rows of column j with i >= k, since fill is complete
            k = row[q]
            for p in range(start[k], start[k + 1]):
                target = place[row[p]]
                if target >= 0:
                    selected[target] -= selected[p] * lower[q]
                    if row[p] != k:
                        selected[q] -= selected[p] * lower[target]
        total = inverse_pivot[j]
        for q in range(first, last):
            total -= selected[q] * lower[q]
            place[row[q]] = -1
        selected[start[j]] = total
    diagonal = np.empty(count)
    for j in range(count):
        diagonal[j] = selected[start[j]]
    return diagonal

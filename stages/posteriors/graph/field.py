"""The joint Gaussian Process of one scene: observations of every region's owner, smoothed along its surfaces.

Zhu, Ghahramani, Lafferty (ICML 2003) and Rasmussen and Williams (2006), chapter 2, with the graph's Laplacian as the
prior's precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from stages.typing import Float32, Float64


@dataclass(frozen=True, eq=False)
class GraphProblem:
    """Owners of S regions, each observed with noise; W weighs the edges between regions."""

    affinity: csr_array
    """W float64 [S,S], symmetric, not negative, without diagonal"""
    precision: Float64[np.ndarray, " S"]
    """1 / variance of the noise of each observation, > 0: how many sure observations it is worth"""
    observation: Float64[np.ndarray, "K_plus_1 S"]
    """y: observed probability of each owner, background last; columns add up to 1"""


@dataclass(frozen=True, eq=False)
class GraphPosterior:
    """Posterior of the functions f_k, one an owner, at each region; their variance is the same for all owners."""

    mean: Float32[np.ndarray, "K_plus_1 S"]
    """in [0, 1]; columns add up to 1"""
    variance: Float32[np.ndarray, " S"]
    """> 0; its inverse is the number of sure observations that a region's own and its neighbours' are worth"""


def solve_graph(problem: GraphProblem, device: str = "cpu") -> GraphPosterior:
    """Posterior mean A^-1 P y and variance diag(A^-1), A = D - W + P, with P the precisions and D the sums of W's rows.

    f_k ~ N(0, (D - W)^-1), y_uk = f_uk + noise. A is an M-matrix, hence the mean a weighted mean of observations. On
    ``cpu`` by one sparse factorisation and selected inversion, on other devices by dense algebra in double precision;
    the two agree to 1e-6.
    """
    matrix = _posterior_precision(problem)
    weighted = problem.observation * problem.precision
    # imported where they run: one wants a compiler that machines with an accelerator may lack, the other wants torch
    if device == "cpu":
        from stages.posteriors.graph.sparse import solve_sparse

        mean, variance = solve_sparse(matrix, weighted)
    else:
        from stages.posteriors.graph.dense import solve_dense

        mean, variance = solve_dense(matrix, weighted, device)
    return GraphPosterior(np.clip(mean, 0.0, 1.0).astype(np.float32), variance.astype(np.float32))


def _posterior_precision(problem: GraphProblem) -> csr_array:
    degree = np.asarray(problem.affinity.sum(axis=1)).ravel()
    region = np.arange(len(degree))
    diagonal = csr_array((degree + problem.precision, (region, region)), shape=problem.affinity.shape)
    return csr_array(diagonal - problem.affinity)

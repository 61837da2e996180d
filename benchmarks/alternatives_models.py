"""Models that were tried in place of the default's joint regression, or after it: pure functions of its problem."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import SuperLU
from scipy.special import softmax

from stages.posteriors.graph.field import GraphProblem
from stages.posteriors.graph.sparse import factorised, inverse_diagonal
from stages.typing import Bool, Float32, Float64, Int64

STEPS = 1000
SETTLED = 1e-4
"""Largest change of a probability in a step below which the search for the mode ends, some 0.002 away from it."""
ROUNDS = 12
"""Regions that a box may gain by its repair."""
LOOSE_SHARE, LOOSE = 0.05, 0.03
"""A face is untouched where its mask ends further from it than this share of the side, and than so many metres."""


def mode(problem: GraphProblem, smoothness: float, trust: float) -> tuple[Float64[np.ndarray, "K_plus_1 S"], SuperLU]:
    """Latent functions f [K+1,S] at the mode of a softmax likelihood, and the factors of the bound on its curvature.

    Minimises sum_k a/2 f_k^T (D - W) f_k - sum_u t P_u sum_k y_uk log softmax(f_u)_k, a = ``smoothness``, t =
    ``trust`` (Rasmussen and Williams 2006, section 3.5). The curvature of the second term is at most t P_u / 2 times
    the identity (Boehning 1992), so that A = a (D - W) + t P / 2 is factorised once: f <- A^-1 (t P (y - softmax(f)) +
    t P f / 2), each step from a point extrapolated as by Nesterov (1983). Raises ValueError where STEPS do not settle.
    """
    precision = trust * problem.precision
    degree = np.asarray(problem.affinity.sum(axis=1)).ravel()
    bound = diags_array(smoothness * degree + precision / 2.0) - smoothness * problem.affinity
    factors = factorised(csr_array(bound))
    latent = before = np.zeros_like(problem.observation)
    share = softmax(latent, axis=0)
    for step in range(STEPS):
        ahead = latent + step / (step + 3.0) * (latent - before)
        pull = problem.observation - softmax(ahead, axis=0) + ahead / 2.0
        before, latent = latent, factors.solve(np.ascontiguousarray((precision * pull).T)).T
        last, share = share, softmax(latent, axis=0)
        if np.abs(share - last).max() < SETTLED:
            return latent, factors
    raise ValueError(f"the mode of the classification likelihood did not settle in {STEPS} steps")


def classified(problem: GraphProblem, smoothness: float) -> Float64[np.ndarray, "K_plus_1 S"]:
    """Probability of each owner at the mode, softmax(f); ``smoothness`` and trust matter by their ratio alone."""
    return softmax(mode(problem, smoothness, 1.0)[0], axis=0)


def averaged(problem: GraphProblem, smoothness: float, trust: float) -> Float64[np.ndarray, "K_plus_1 S"]:
    """Probability of each owner averaged over a Gaussian around the mode: softmax(f / sqrt(1 + pi v / 8)).

    Laplace's approximation with the bound A of ``mode`` as curvature, so that the variance v = diag A^-1 is the same
    for all owners and the likeliest owner that of the mode; the average is MacKay's (1992).
    """
    latent, factors = mode(problem, smoothness, trust)
    return softmax(latent / np.sqrt(1.0 + np.pi / 8.0 * inverse_diagonal(factors)), axis=0)


def of_equal_sum(problem: GraphProblem, like: GraphProblem) -> GraphProblem:
    """``problem`` with its affinities scaled so that they add up to those of ``like``."""
    return replace(problem, affinity=problem.affinity * (like.affinity.sum() / problem.affinity.sum()))


def repaired(
    mask: Bool[np.ndarray, "K S"],
    probability: Float32[np.ndarray, "K S"],
    candidate: Bool[np.ndarray, "K S"],
    extent: Float32[np.ndarray, "S 6"],
    corners: Float32[np.ndarray, "K 6"],
    order: Int64[np.ndarray, " K"],
) -> Bool[np.ndarray, "K S"]:
    """Masks grown until they reach every face of their box, as those of exact boxes do (GaPro's boxes are tight).

    One box after the other in ``order``, ROUNDS times each: the face that is untouched by the most and that a
    candidate region outside the mask reaches gains, of those, the likeliest region, from whichever box had it.
    ``extent`` holds the corners of each region's points.
    """
    grown = mask.copy()
    for box in order:
        side = corners[box, 3:] - corners[box, :3]
        loose = np.tile(np.maximum(LOOSE_SHARE * side, LOOSE), 2)
        gap = np.concatenate([extent[:, :3] - corners[box, :3], corners[box, 3:] - extent[:, 3:]], axis=1)
        for _ in range(ROUNDS):
            mine = gap[grown[box]]
            untouched = (mine.min(axis=0) if len(mine) else np.tile(side, 2)) - loose
            possible = candidate[box] & ~grown[box]
            reaching = possible[:, None] & (gap <= loose) & (untouched > 0)
            faces = np.flatnonzero(reaching.any(axis=0))
            if not len(faces):
                break
            face = faces[untouched[faces].argmax()]
            region = np.where(reaching[:, face], probability[box], -1.0).argmax()
            grown[:, region] = False
            grown[box, region] = True
    return grown

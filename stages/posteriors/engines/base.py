"""The interface of every Gaussian Process engine: a list of binary problems in, their posteriors out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from stages.typing import Bool, Float32

Link = Literal["sigmoid", "probit", "step", "none"]


@dataclass(frozen=True, eq=False)
class PairProblem:
    """Binary classification of contested regions between the two owners of a pair (GaPro, section 3.1).

    n determined regions with features and the side that owns them, m contested regions to predict. The prior means are
    those of the latent function toward the first owner (0: no preference).
    """

    feature: Float32[np.ndarray, "n D"]
    first: Bool[np.ndarray, " n"]
    """True where the first owner owns the determined region, False for the second; both occur"""
    contested_feature: Float32[np.ndarray, "m D"]
    prior_mean: Float32[np.ndarray, " n"]
    contested_prior_mean: Float32[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class PairSolution:
    """Posterior of one problem at its m contested regions, toward the first owner, and how it was found.

    Where it failed (not ``converged``) the moments are those of a coin flip: never NaN.
    """

    latent_mean: Float32[np.ndarray, " m"]
    latent_variance: Float32[np.ndarray, " m"]
    probability: Float32[np.ndarray, " m"]
    mean: Float32[np.ndarray, " m"]
    variance: Float32[np.ndarray, " m"]
    length_scale: float
    output_scale: float
    """both NaN for an engine without them"""
    evidence: float
    """log marginal likelihood of the determined regions (or its bound), without priors, per determined region"""
    steps: int
    jitter_retries: int
    converged: bool


@runtime_checkable
class Engine(Protocol):
    """Solves problems independently of each other.

    The solution of a problem depends on that problem alone, bit for bit on CPU, whatever else is in the list; it is
    equivariant: swapping the two owners negates latent_mean and gives 1 - probability.
    """

    link: ClassVar[Link]

    def solve(self, problems: Sequence[PairProblem]) -> list[PairSolution]:
        """Posteriors in the order of ``problems``; a problem that fails comes back with ``converged=False``."""
        ...

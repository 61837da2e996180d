"""RBF and graph kernels together: the joint Gaussian Process observes what those of pairs have concluded."""

from __future__ import annotations

import numpy as np

from stages.pseudo_labels.fusion import fuse
from stages.structures import PairPosteriors
from stages.typing import Float64


def observed_by_pairs(posteriors: PairPosteriors) -> Float64[np.ndarray, "K_plus_1 S"]:
    """Mean of the prior and of what pairs conclude: the probability of each owner, background last.

    The pairs know colour, normal and place but not the surface between regions, and are over-confident.
    """
    observed = 0.5 * (posteriors.prior.astype(np.float64) + concluded_by_pairs(posteriors))
    return np.asarray(observed / observed.sum(axis=0))


def concluded_by_pairs(posteriors: PairPosteriors) -> Float64[np.ndarray, "K_plus_1 S"]:
    """Fused posteriors of all pairs; regions that pairs count as determined keep their prior."""
    owned = np.clip(fuse(posteriors, "coupling").moments.probability, 0.0, 1.0)
    concluded = np.concatenate([owned, np.maximum(1.0 - owned.sum(axis=0), 0.0)[None]])
    return np.where(posteriors.owner < 0, concluded, posteriors.prior.astype(np.float64))

"""RBF and graph kernels together: the joint Gaussian Process observes what those of pairs have concluded."""

from __future__ import annotations

import numpy as np

from stages.pseudo_labels.fusion import fuse
from stages.structures import PairPosteriors
from stages.typing import Float64


def observed_by_pairs(posteriors: PairPosteriors) -> Float64[np.ndarray, "K_plus_1 S"]:
    """Mean of the prior and of the fused posteriors of all pairs: the probability of each owner, background last.

    The pairs know colour, normal and place but not the surface between regions, and are over-confident; the prior is
    what regions keep that pairs count as determined.
    """
    prior = posteriors.prior.astype(np.float64)
    owned = np.clip(fuse(posteriors, "coupling").moments.probability, 0.0, 1.0)
    concluded = np.concatenate([owned, np.maximum(1.0 - owned.sum(axis=0), 0.0)[None]])
    observed = np.where(posteriors.owner < 0, 0.5 * (prior + concluded), prior)
    return observed / observed.sum(axis=0)

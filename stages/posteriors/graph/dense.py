"""Dense reference of the joint posterior, in torch: what an accelerator runs and what tests compare with."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array

from stages.typing import Float64


def solve_dense(
    matrix: csr_array, weighted: Float64[np.ndarray, "C S"], device: str
) -> tuple[Float64[np.ndarray, "C S"], Float64[np.ndarray, " S"]]:
    """Rows of ``weighted`` times the inverse of the symmetric positive definite ``matrix`` [S,S], and its diagonal."""
    if not len(weighted.T):
        return np.zeros_like(weighted), np.zeros(0)
    factor = torch.linalg.cholesky(torch.tensor(matrix.toarray(), dtype=torch.float64, device=device))
    right = torch.tensor(weighted.T, dtype=torch.float64, device=device)
    mean = torch.cholesky_solve(right, factor).T
    variance = torch.cholesky_inverse(factor).diagonal()
    return mean.cpu().numpy(), variance.cpu().numpy()

from __future__ import annotations

import numpy as np
import torch

from stages.posteriors.engines.kernels import cholesky, padded_rbf, posterior_moments, rbf, squared_distance


def points(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def test_squared_distance() -> None:
    x, y = points(2, 5, 3), points(2, 4, 3, seed=1)
    expected = ((x[:, :, None] - y[:, None]) ** 2).sum(-1)
    torch.testing.assert_close(squared_distance(x, y), expected)


def test_squared_distance_of_equal_features_is_exactly_zero_and_symmetric() -> None:
    x = points(1, 6, 4) + 1e6
    distance = squared_distance(x, x)
    assert (distance.diagonal(dim1=-2, dim2=-1) == 0).all()
    assert torch.equal(distance, distance.mT)


def test_rbf_golden_numbers() -> None:
    """GaPro, eq. (1): s^2 exp(-|x - x'|^2 / (2 l^2))."""
    found = rbf(torch.tensor([[[0.0, 1.0]]]), torch.tensor([0.5]), torch.tensor([2.0]))
    torch.testing.assert_close(found, torch.tensor([[[4.0, 4.0 * 0.1353352832]]]))


def test_padding_has_no_covariance() -> None:
    x = points(2, 4, 3)
    present = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    one = torch.ones(2, dtype=torch.float64)
    covariance = padded_rbf(squared_distance(x, x), present, one, one)
    assert (covariance[1, 2:] == 0).all()
    assert (covariance[1, :, 2:] == 0).all()
    assert (covariance[0] > 0).all()


def test_cholesky_of_positive_definite_matrices() -> None:
    root = points(3, 5, 5)
    matrix = root @ root.mT + torch.eye(5)
    factor = cholesky(matrix)
    torch.testing.assert_close(factor.lower @ factor.lower.mT, matrix)
    assert factor.retries.tolist() == [0, 0, 0]
    assert not factor.failed.any()


def test_only_failed_matrices_are_tried_again() -> None:
    good = 2.0 * torch.eye(3, dtype=torch.float64)
    # eigenvalues -1e-9 and 2: the first jitter of 1e-10 is too small, 1e-9 borders, 1e-8 suffices
    slightly_bad = torch.tensor([[1.0, 1.0 + 1e-9, 0.0], [1.0 + 1e-9, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    hopeless = -good
    unknown = torch.full((3, 3), torch.nan, dtype=torch.float64)
    alone = cholesky(good[None])
    factor = cholesky(torch.stack([good, slightly_bad, hopeless, unknown]))
    assert torch.equal(factor.lower[0], alone.lower[0])
    assert factor.failed.tolist() == [False, False, True, True]
    assert factor.retries[0] == 0
    assert 2 <= factor.retries[1] <= 3
    torch.testing.assert_close(factor.lower[1] @ factor.lower[1].mT, slightly_bad, atol=1e-7, rtol=0)
    assert factor.lower.isfinite().all()


def test_posterior_moments_equal_dense_algebra() -> None:
    x, y = points(2, 7, 2), points(2, 3, 2, seed=1)
    one, noise = torch.ones(2, dtype=torch.float64), 0.3
    covariance = rbf(squared_distance(x, x), one, one) + noise * torch.eye(7)
    cross = rbf(squared_distance(x, y), one, one)
    target = points(2, 7, seed=2)
    weight = torch.linalg.solve(covariance, target)
    mean, variance = posterior_moments(cross, weight, torch.linalg.cholesky(covariance), torch.ones_like(target), one)
    inverse, across = np.linalg.inv(covariance.numpy()), cross.mT.numpy()
    np.testing.assert_allclose(mean, (across @ inverse @ target[..., None].numpy())[..., 0], atol=1e-12)
    lost = np.einsum("bmn,bnk,bmk->bm", across, inverse, across)
    np.testing.assert_allclose(variance, 1 - lost, atol=1e-12)

from typing import get_args

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from stages.features.deep import MEAN_SQUARED_DISTANCE, SHARE, Mode, deep_features

GENERATOR = np.random.default_rng(0)
POSITION = GENERATOR.uniform(0, 5, (60, 3)).astype(np.float32)
SPREAD = 1.5 ** -np.arange(8)
"""standard deviations of the columns, far enough apart for principal components to be distinct"""
DEEP = (GENERATOR.normal(size=(60, 8)) * SPREAD + 2).astype(np.float32)
MODES: tuple[Mode, ...] = get_args(Mode)


def deep_part(feature: np.ndarray, mode: Mode) -> np.ndarray:
    return feature[:, 3:] if mode == "position_pca" else feature


def squared_distances(feature: np.ndarray) -> np.ndarray:
    return pdist(feature.astype(np.float64), "sqeuclidean")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_two_regions_differ_by_the_same_on_average_whatever_the_network_scale(mode: Mode, size: float) -> None:
    found = deep_features(POSITION, (DEEP * size + 3 * size).astype(np.float32), mode)
    assert squared_distances(deep_part(found.feature, mode)).mean() == pytest.approx(MEAN_SQUARED_DISTANCE, rel=1e-4)
    assert len(found.columns) == found.feature.shape[1]
    assert mode in found.normalization
    assert np.abs(found.feature.mean(axis=0)).max() < 1e-5


def test_raw_keeps_the_shape_of_the_deep_space() -> None:
    ratio = squared_distances(deep_features(POSITION, DEEP, "raw").feature) / squared_distances(DEEP)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def test_standardised_columns_weigh_the_same() -> None:
    spread = deep_features(POSITION, DEEP, "standardised").feature.std(axis=0)
    np.testing.assert_allclose(spread, spread[0], rtol=1e-5)


def test_pca_keeps_the_directions_that_vary_most() -> None:
    feature = deep_features(POSITION, DEEP, "pca").feature.astype(np.float64)
    variance = np.linalg.eigvalsh(np.cov(DEEP.astype(np.float64).T))[::-1]
    needed = int(np.argmax(np.cumsum(variance) >= SHARE * variance.sum())) + 1
    assert 1 < feature.shape[1] == needed < 8
    covariance = np.cov(feature.T)
    kept = variance[:needed] * (covariance[0, 0] / variance[0])
    np.testing.assert_allclose(covariance, np.diag(kept), atol=1e-5 * kept[0])


def test_pca_does_not_see_a_rotation_of_the_deep_space() -> None:
    rotation = np.linalg.qr(GENERATOR.normal(size=(8, 8)))[0]
    plain = deep_features(POSITION, DEEP, "pca").feature
    turned = deep_features(POSITION, (DEEP @ rotation).astype(np.float32), "pca").feature
    sign = np.sign((plain * turned).sum(axis=0))
    np.testing.assert_allclose(turned * sign, plain, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_the_order_of_regions_does_not_matter(mode: Mode) -> None:
    order = GENERATOR.permutation(60)
    plain = squared_distances(deep_features(POSITION[order], DEEP[order], mode).feature)
    again = deep_features(POSITION, DEEP, mode).feature[order]
    np.testing.assert_allclose(plain, squared_distances(again), rtol=1e-3, atol=1e-5)


def test_positions_keep_their_metres_beside_deep_features() -> None:
    found = deep_features(POSITION + np.float32(100), DEEP, "position_pca")
    assert found.columns[:4] == ("x", "y", "z", "component_0")
    np.testing.assert_allclose(found.feature[:, :3], POSITION - POSITION.mean(axis=0), atol=1e-4)
    np.testing.assert_array_equal(found.feature[:, 3:], deep_features(POSITION, DEEP, "pca").feature)


@pytest.mark.parametrize("mode", MODES)
def test_constant_columns_do_not_become_noise(mode: Mode) -> None:
    constant = np.full((60, 2), 0.1, np.float32) + np.float32(1e-8) * GENERATOR.integers(0, 2, (60, 2))
    with_constant = np.concatenate([DEEP, constant.astype(np.float32)], axis=1)
    plain = squared_distances(deep_features(POSITION, DEEP, mode).feature)
    np.testing.assert_allclose(
        squared_distances(deep_features(POSITION, with_constant, mode).feature), plain, rtol=1e-4
    )
    alike = deep_features(POSITION, constant.astype(np.float32), mode).feature
    assert not deep_part(alike, mode).any()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("regions", [0, 1, 2, 5])
def test_few_regions_and_many_columns(mode: Mode, regions: int) -> None:
    wide = GENERATOR.normal(size=(regions, 40)).astype(np.float32)
    feature = deep_part(deep_features(POSITION[:regions], wide, mode).feature, mode)
    assert len(feature) == regions
    assert np.isfinite(feature).all()
    if regions > 1:
        assert squared_distances(feature).mean() == pytest.approx(MEAN_SQUARED_DISTANCE, rel=1e-4)
    else:
        assert not feature.any()
    if mode == "pca":
        assert feature.shape[1] <= max(regions - 1, 1)


def test_features_that_are_not_finite_are_refused() -> None:
    broken = DEEP.copy()
    broken[3, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        deep_features(POSITION, broken, "raw")

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from stages.features.deep import MEAN_SQUARED_DISTANCE, SHARE, components, fitting, varying, with_deep_features
from stages.structures import RegionFeatures

GENERATOR = np.random.default_rng(0)
FEATURES = RegionFeatures(GENERATOR.uniform(0, 5, (60, 3)).astype(np.float32), ("x", "y", "z"), "metres")
SPREAD = 1.5 ** -np.arange(8)
"""standard deviations of the columns, far enough apart for principal components to be distinct"""
DEEP = (GENERATOR.normal(size=(60, 8)) * SPREAD + 2).astype(np.float32)


def deep_part(deep: np.ndarray, weight: float = 1.0) -> np.ndarray:
    regions = len(deep)
    alone = RegionFeatures(np.zeros((regions, 0), np.float32), (), "")
    return with_deep_features(alone, deep, weight).feature


def squared_distances(feature: np.ndarray) -> np.ndarray:
    return pdist(feature.astype(np.float64), "sqeuclidean")


@pytest.mark.parametrize("weight", [0.5, 1.0])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_two_regions_differ_by_the_same_on_average_whatever_the_network_scale(size: float, weight: float) -> None:
    found = deep_part((DEEP * size + 3 * size).astype(np.float32), weight)
    expected = weight**2 * MEAN_SQUARED_DISTANCE
    assert squared_distances(found).mean() == pytest.approx(expected, rel=1e-4)
    assert np.abs(found.mean(axis=0)).max() < 1e-5


def test_deep_features_stand_beside_the_others() -> None:
    found = with_deep_features(FEATURES, DEEP, 1.0)
    assert found.columns[:4] == ("x", "y", "z", "component_0")
    assert len(found.columns) == found.feature.shape[1]
    np.testing.assert_array_equal(found.feature[:, :3], FEATURES.feature)
    np.testing.assert_array_equal(found.feature[:, 3:], deep_part(DEEP))


def test_fitting_keeps_the_shape_of_the_deep_space() -> None:
    ratio = squared_distances(fitting(varying(DEEP))) / squared_distances(DEEP)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def test_components_are_the_directions_that_vary_most() -> None:
    feature = deep_part(DEEP).astype(np.float64)
    variance = np.linalg.eigvalsh(np.cov(DEEP.astype(np.float64).T))[::-1]
    needed = int(np.argmax(np.cumsum(variance) >= SHARE * variance.sum())) + 1
    assert 1 < feature.shape[1] == needed < 8
    covariance = np.cov(feature.T)
    kept = variance[:needed] * (covariance[0, 0] / variance[0])
    np.testing.assert_allclose(covariance, np.diag(kept), atol=1e-5 * kept[0])


def test_components_do_not_see_a_rotation_of_the_deep_space() -> None:
    rotation = np.linalg.qr(GENERATOR.normal(size=(8, 8)))[0]
    plain = deep_part(DEEP)
    turned = deep_part((DEEP @ rotation).astype(np.float32))
    sign = np.sign((plain * turned).sum(axis=0))
    np.testing.assert_allclose(turned * sign, plain, atol=1e-4)


def test_the_order_of_regions_does_not_matter() -> None:
    order = GENERATOR.permutation(60)
    plain = squared_distances(deep_part(DEEP[order]))
    np.testing.assert_allclose(plain, squared_distances(deep_part(DEEP)[order]), rtol=1e-3, atol=1e-5)


def test_constant_columns_do_not_become_noise() -> None:
    constant = np.full((60, 2), 0.1, np.float32) + np.float32(1e-8) * GENERATOR.integers(0, 2, (60, 2))
    with_constant = np.concatenate([DEEP, constant.astype(np.float32)], axis=1)
    np.testing.assert_allclose(
        squared_distances(deep_part(with_constant)), squared_distances(deep_part(DEEP)), rtol=1e-4
    )
    assert not deep_part(constant.astype(np.float32)).any()


@pytest.mark.parametrize("regions", [0, 1, 2, 5])
def test_few_regions_and_many_columns(regions: int) -> None:
    wide = GENERATOR.normal(size=(regions, 40)).astype(np.float32)
    feature = deep_part(wide)
    assert len(feature) == regions
    assert np.isfinite(feature).all()
    assert feature.shape[1] <= max(regions - 1, 1)
    if regions > 1:
        assert squared_distances(feature).mean() == pytest.approx(MEAN_SQUARED_DISTANCE, rel=1e-4)
    else:
        assert not feature.any()


def test_what_varies_has_mean_zero() -> None:
    np.testing.assert_allclose(varying(DEEP).mean(axis=0), 0.0, atol=1e-12)
    assert components(varying(DEEP)).shape[0] == 60


def test_features_that_are_not_finite_are_refused() -> None:
    broken = DEEP.copy()
    broken[3, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        with_deep_features(FEATURES, broken, 1.0)

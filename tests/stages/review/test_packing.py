"""Arrays on their way to the page."""

import numpy as np
import pytest

from stages.review.packing import pack, quantised, region_means, shown_points, small_normals
from tests.stages.review.small_run import unpacked


@pytest.fixture
def superpoint() -> np.ndarray:
    """10,000 points, one in ten without a region, in 301 regions of which the last has one point."""
    generator = np.random.default_rng(0)
    region = generator.integers(0, 300, 10_000).astype(np.int32)
    region[::10] = -1
    region[1] = 300
    return region


def test_every_region_is_shown_first(superpoint: np.ndarray) -> None:
    shown = shown_points(superpoint, 1000)
    assert len(shown) == len(set(shown.tolist())) == 1000
    assert sorted(superpoint[shown[:301]]) == list(range(301))
    assert (superpoint[shown] >= 0).all()


def test_more_regions_than_points_asked_for(superpoint: np.ndarray) -> None:
    assert sorted(superpoint[shown_points(superpoint, 5)]) == list(range(301))


def test_all_points_where_they_fit(superpoint: np.ndarray) -> None:
    np.testing.assert_array_equal(np.sort(shown_points(superpoint)), np.flatnonzero(superpoint >= 0))
    assert len(shown_points(np.full(3, -1, np.int32))) == 0


def test_any_beginning_is_a_fair_sample() -> None:
    superpoint = np.repeat(np.array([0, 1], np.int32), [9000, 1000])
    shown = shown_points(superpoint)
    assert (superpoint[shown[:1000]] == 1).mean() == pytest.approx(0.1, abs=0.03)


def test_coordinates_keep_their_place() -> None:
    xyz = (np.random.default_rng(1).random((500, 3)) * [8, 6, 3] - [100, 0, 2]).astype(np.float32)
    small, low, side = quantised(xyz)
    assert small.dtype == np.uint16
    np.testing.assert_allclose(low + small / 65535 * side, xyz, atol=8 / 65535)


def test_one_point_and_none() -> None:
    small, low, side = quantised(np.array([[1, 2, 3]], np.float32))
    np.testing.assert_allclose(low + small[0] / 65535 * side, [1, 2, 3])
    assert quantised(np.zeros((0, 3), np.float32))[0].shape == (0, 3)


def test_normals_as_bytes() -> None:
    np.testing.assert_array_equal(small_normals(np.array([[0, -1, 0.5]], np.float32)), [[0, -127, 64]])


def test_means_of_regions() -> None:
    values = np.array([[1, 0, 0], [3, 0, 0], [5, 5, 5], [np.nan] * 3], np.float32)
    means = region_means(values, np.array([0, 0, 2, -1], np.int32), np.array([2, 0, 1]))
    np.testing.assert_array_equal(means, [[2, 0, 0], [0, 0, 0], [5, 5, 5]])


def test_what_is_packed_is_unpacked() -> None:
    arrays: dict[str, np.ndarray] = {
        "odd": np.array([1, 2, 3], np.uint8),
        "xyz": np.arange(6, dtype=np.uint16).reshape(2, 3),
        "none": np.zeros(0, np.int32),
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "foreign": np.array([1, 2], ">i4"),
    }
    found = unpacked(pack({"low": [0.5, 1, 2]}, arrays))
    assert found["low"] == [0.5, 1, 2]
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values.ravel())

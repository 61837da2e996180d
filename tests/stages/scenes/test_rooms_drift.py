from __future__ import annotations

import numpy as np
import pytest

from stages.scenes.rooms.drift import LONGEST, SHORTEST, drift


def cloud(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-20.0, 20.0, (count, 3))


def test_no_deviation_moves_nothing() -> None:
    np.testing.assert_array_equal(drift(cloud(100, 0), 0.0, np.random.default_rng(1)), 0)


@pytest.mark.parametrize("seed", range(5))
def test_deviation_is_that_asked_for_and_bounded(seed: int) -> None:
    moved = drift(cloud(40_000, 0), 0.02, np.random.default_rng(seed))
    np.testing.assert_allclose(np.sqrt((moved**2).mean(axis=0)), 0.02, rtol=0.05)
    assert np.abs(moved).max() <= 0.02 * np.sqrt(2 * 8)


def test_drift_is_proportional_to_its_deviation() -> None:
    one, three = (drift(cloud(50, 2), deviation, np.random.default_rng(3)) for deviation in (0.01, 0.03))
    np.testing.assert_allclose(three, 3 * one)


def test_slope_of_the_drift_is_that_of_its_wavelengths() -> None:
    xyz, step = cloud(40_000, 4), 1e-4
    along = [
        (drift(xyz + step * unit, 1.0, np.random.default_rng(5)) - drift(xyz, 1.0, np.random.default_rng(5))) / step
        for unit in np.eye(3)
    ]
    # for each axis, the mean squared gradient is a weighted mean of (2 pi / wavelength)^2
    squared = np.sum([(part**2).mean(axis=0) for part in along], axis=0)
    assert (squared > (2 * np.pi / LONGEST) ** 2 * 0.95).all()
    assert (squared < (2 * np.pi / SHORTEST) ** 2 * 1.05).all()

"""Box noise against its closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from stages.scenes.noise import disturbed, kept

COUNT = 20_000
SIZE = np.array([2.0, 1.0, 0.5])
UNIT = np.tile(np.concatenate([np.zeros(3), SIZE]), (COUNT, 1))


def _changes(**levels: float) -> tuple[np.ndarray, np.ndarray]:
    """Corner changes and sizes of many equal boxes."""
    noisy = disturbed(UNIT, 3, **levels)
    return noisy - UNIT, noisy[:, 3:] - noisy[:, :3]


def test_no_noise_changes_no_bit() -> None:
    boxes = np.sort(np.random.default_rng(0).normal(size=(50, 2, 3)) * 1e5, axis=1).reshape(50, 6)
    assert np.array_equal(disturbed(boxes, 1), boxes)


def test_corner_noise_is_gaussian_in_metres() -> None:
    change, _ = _changes(corner=0.02)
    assert change.mean(axis=0) == pytest.approx(np.zeros(6), abs=4 * 0.02 / np.sqrt(COUNT))
    assert change.std(axis=0) == pytest.approx(np.full(6, 0.02), rel=0.03)
    assert (np.abs(change) < 0.02).mean() == pytest.approx(0.6827, abs=0.01)
    correlation = np.corrcoef(change.T)
    assert np.abs(correlation - np.eye(6)).max() < 0.04


def test_relative_corner_noise_follows_the_dimension() -> None:
    change, _ = _changes(corner_relative=0.05)
    assert change.std(axis=0) == pytest.approx(0.05 * np.tile(SIZE, 2), rel=0.03)


def test_both_corner_noises_add_their_variances() -> None:
    change, _ = _changes(corner=0.03, corner_relative=0.02)
    assert change.std(axis=0) == pytest.approx(np.hypot(0.03, 0.02 * np.tile(SIZE, 2)), rel=0.03)


def test_scale_is_uniform_about_the_centre() -> None:
    change, size = _changes(scale=0.3)
    assert change[:, :3] == pytest.approx(-change[:, 3:], abs=1e-12)
    factor = size / SIZE
    assert factor.min() >= 0.7
    assert factor.max() <= 1.3
    assert factor.var(axis=0) == pytest.approx(np.full(3, 0.6**2 / 12), rel=0.04)


def test_shift_is_uniform_and_keeps_the_size() -> None:
    change, size = _changes(shift=0.2)
    assert size == pytest.approx(np.tile(SIZE, (COUNT, 1)))
    assert np.abs(change[:, :3] / SIZE).max() <= 0.2
    assert (change[:, :3] / SIZE).var(axis=0) == pytest.approx(np.full(3, 0.4**2 / 12), rel=0.04)


def test_rotation_gives_the_hull_about_z() -> None:
    change, size = _changes(rotation=30.0)
    assert change[:, :3] == pytest.approx(-change[:, 3:], abs=1e-12)
    assert np.array_equal(size[:, 2], np.full(COUNT, SIZE[2]))
    # a turn by a: x' = |cos a| x + |sin a| y, so x'^2 + y'^2 = x^2 + y^2 + 4 x y |cos a sin a|
    angle = np.arctan2(size[:, 1], size[:, 0]) - np.arctan2(SIZE[1], SIZE[0])
    crossed = (size[:, 0] ** 2 + size[:, 1] ** 2 - SIZE[0] ** 2 - SIZE[1] ** 2) / (4 * SIZE[0] * SIZE[1])
    turn = np.arcsin(np.clip(2 * crossed, 0, 1)) / 2
    assert np.abs(angle).max() > 0
    assert turn.max() == pytest.approx(np.deg2rad(30), abs=0.001)
    assert turn.mean() == pytest.approx(np.deg2rad(15), rel=0.02)
    assert size[:, 0] == pytest.approx(np.cos(turn) * SIZE[0] + np.sin(turn) * SIZE[1])


def test_corners_never_cross() -> None:
    noisy = disturbed(UNIT, 0, corner=5.0)
    assert (noisy[:, 3:] >= noisy[:, :3]).all()


def test_kinds_of_noise_do_not_disturb_each_other() -> None:
    both = disturbed(UNIT, 7, shift=0.2, scale=0.2) - UNIT
    alone = disturbed(UNIT, 7, shift=0.2) - UNIT + disturbed(UNIT, 7, scale=0.2) - UNIT
    assert both == pytest.approx(alone, abs=1e-12)


def test_drop_is_binomial() -> None:
    share = kept(COUNT, 0.2, seed=5).mean()
    assert share == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / COUNT))
    assert kept(100, 0.0, seed=5).all()
    assert not kept(100, 1.0, seed=5).any()


def test_more_drop_drops_more_of_the_same() -> None:
    some, more = kept(200, 0.2, seed=9), kept(200, 0.5, seed=9)
    assert (some | ~more).all()


def test_the_seed_decides() -> None:
    first = disturbed(UNIT[:5], 1, corner=0.1)
    assert np.array_equal(first, disturbed(UNIT[:5], 1, corner=0.1))
    assert not np.array_equal(first, disturbed(UNIT[:5], 2, corner=0.1))
    assert not np.array_equal(kept(50, 0.5, seed=1), kept(50, 0.5, seed=2))

import numpy as np
import pytest

from stages.report.thinning import STEPS, quantised, thinned


def regions(sizes: list[int], seed: int = 0) -> np.ndarray:
    region = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    return np.random.default_rng(seed).permutation(region)


def test_few_points_are_all_kept_but_those_without_a_region() -> None:
    region = np.array([1, -1, 0, 1, -1], np.int32)
    assert thinned(region, 3).tolist() == [0, 2, 3]


def test_every_region_keeps_a_point_and_large_ones_their_share() -> None:
    region = regions([9000, 900, 90, 5, 1])
    chosen = thinned(region, 1000)
    counts = np.bincount(region[chosen], minlength=5)
    assert counts.tolist() == [900, 90, 9, 1, 1]
    assert np.all(np.diff(chosen) > 0)


def test_more_regions_than_room_give_one_point_each() -> None:
    region = regions([3] * 500)
    assert np.bincount(region[thinned(region, 10)]).tolist() == [1] * 500


def test_what_is_kept_depends_on_the_arguments_alone_and_follows_no_pattern() -> None:
    region = np.zeros(1000, np.int32)
    chosen = thinned(region, 100)
    assert chosen.tolist() == thinned(region.copy(), 100).tolist()
    assert len(chosen) == 100
    assert len(np.unique(np.diff(chosen))) > 5


@pytest.mark.parametrize("scale", [0.01, 1.0, 1000.0])
def test_quantised_places_are_off_by_half_a_step_at_most(scale: float) -> None:
    xyz = (np.random.default_rng(1).normal(size=(500, 3)) * [7, 5, 3] * scale).astype(np.float32)
    place, low, step = quantised(xyz)
    assert place.dtype == np.uint16
    assert place.max() == STEPS
    assert place.min() == 0
    assert np.all(np.abs(low + place * step - xyz) <= step / 2 * 1.001)


def test_a_flat_scene_and_an_empty_one_can_be_quantised() -> None:
    flat = np.array([[0, 0, 2], [1, 4, 2]], np.float32)
    place, low, step = quantised(flat)
    assert np.allclose(low + place * step, flat)
    place, low, _ = quantised(np.zeros((0, 3), np.float32))
    assert place.shape == (0, 3)
    assert np.isfinite(low).all()

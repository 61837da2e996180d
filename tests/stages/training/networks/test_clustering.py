from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from stages.training.networks.clustering import components, distinct, near_votes, touching_regions


def _patches(gaps: list[float], size: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Flat square patches in a row with such gaps between them, 2 cm from point to point."""
    grid = np.stack(np.meshgrid(np.arange(0, size + 1e-6, 0.02), np.arange(0, size, 0.02)), axis=-1).reshape(-1, 2)
    starts = np.cumsum([0.0, *(size + gap for gap in gaps)])
    xyz = np.concatenate([np.column_stack([grid[:, 0] + start, grid[:, 1], np.zeros(len(grid))]) for start in starts])
    return xyz.astype(np.float32), np.repeat(np.arange(len(starts)), len(grid))


def test_patches_within_reach_touch() -> None:
    xyz, region = _patches([0.02, 0.2, 0.02])
    assert touching_regions(xyz, region, 0.1).tolist() == [[0, 1], [2, 3]]
    assert touching_regions(xyz, region, 0.3).tolist() == [[0, 1], [1, 2], [2, 3]]


def test_touching_is_that_of_all_points_up_to_a_cell() -> None:
    rng = np.random.default_rng(0)
    xyz = rng.uniform(0, 1, (300, 3)).astype(np.float32)
    region = rng.integers(0, 60, 300)
    gap = np.full((60, 60), np.inf)
    np.minimum.at(gap, (region[:, None], region[None]), cdist(xyz, xyz))
    reach, diagonal = 0.2, 0.1 * np.sqrt(3)
    found = {(a, b) for a, b in touching_regions(xyz, region, reach).tolist()}
    near = {(a, b) for a, b in np.argwhere(gap < reach - diagonal).tolist() if a < b}
    far = {(a, b) for a, b in np.argwhere(gap > reach + diagonal).tolist() if a < b}
    assert near
    assert far
    assert near <= found
    assert not far & found


def test_touching_does_not_depend_on_order_or_place() -> None:
    xyz, region = _patches([0.03, 0.2, 0.03])
    expected = touching_regions(xyz, region, 0.1).tolist()
    order = np.random.default_rng(1).permutation(len(xyz))
    assert touching_regions(xyz[order], region[order], 0.1).tolist() == expected
    assert touching_regions(xyz + np.float32(64), region, 0.1).tolist() == expected


def test_one_region_touches_nothing() -> None:
    xyz, region = _patches([])
    assert touching_regions(xyz, region, 0.1).shape == (0, 2)
    assert touching_regions(xyz[:0], region[:0], 0.1).shape == (0, 2)


def test_near_votes() -> None:
    vote = np.array([[0, 0, 0], [5, 0, 0], [0.1, 0, 0], [5, 0.15, 0], [0.25, 0, 0]], np.float32)
    assert sorted(near_votes(vote, 0.2).tolist()) == [[0, 2], [1, 3], [2, 4]]
    assert near_votes(vote[:0], 0.2).shape == (0, 2)


def test_components_stay_within_a_kind() -> None:
    pairs = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [0, 5]])
    kind = np.array([7, 7, 2, 2, -1, -1])
    found = components(pairs, kind, np.full(6, 10), 1)
    assert [np.flatnonzero(row).tolist() for row in found] == [[0, 1], [2, 3]]


def test_regions_of_no_kind_form_no_cluster() -> None:
    assert components(np.array([[0, 1]]), np.array([-1, -1]), np.array([10, 10]), 1).shape == (0, 2)


@pytest.mark.parametrize(("least", "clusters"), [(0, 3), (5, 3), (6, 2), (30, 2), (31, 1), (61, 0)])
def test_small_clusters_are_dropped(least: int, clusters: int) -> None:
    pairs, kind = np.array([[0, 1], [2, 3]]), np.array([0, 0, 0, 0, 0])
    assert len(components(pairs, kind, np.array([10, 20, 30, 30, 5]), least)) == clusters


def test_chains_are_one_cluster() -> None:
    chain = np.stack([np.arange(49), np.arange(1, 50)], axis=1)
    assert components(chain, np.zeros(50, np.int64), np.ones(50, np.int64), 50).all()


def test_without_pairs_every_region_is_a_cluster() -> None:
    found = components(np.zeros((0, 2), np.int64), np.array([0, -1, 1]), np.array([1, 1, 1]), 1)
    assert found.tolist() == [[True, False, False], [False, False, True]]


def test_distinct_keeps_order() -> None:
    mask = np.array([[0, 1, 1], [1, 0, 0], [0, 1, 1], [1, 1, 1], [1, 0, 0]], bool)
    assert distinct(mask).tolist() == mask[[0, 1, 3]].tolist()
    assert distinct(mask[:0]).shape == (0, 3)

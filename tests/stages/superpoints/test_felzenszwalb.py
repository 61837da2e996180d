import numpy as np
import pytest

from stages.superpoints.felzenszwalb import _settle_ties, numbered, segment


def chain(weights: list[float], scale: float, minimum_size: int) -> list[int]:
    count = len(weights) + 1
    edges = np.stack([np.arange(count - 1), np.arange(1, count)], axis=1).astype(np.int32)
    return segment(edges, np.array(weights), np.ones(len(weights)), count, scale, minimum_size).tolist()


def test_a_heavy_edge_separates() -> None:
    assert chain([0.0, 0.0, 1.0, 0.0], scale=0.1, minimum_size=1) == [0, 0, 0, 1, 1]


def test_threshold_by_hand() -> None:
    # the first merge at 0.2 <= 1 / 1 gives a bound of 0.2 + 1 / 2; 0.6 passes it, 0.8 does not
    assert chain([0.2, 0.6], scale=1.0, minimum_size=1) == [0, 0, 0]
    assert chain([0.2, 0.8], scale=1.0, minimum_size=1) == [0, 0, 1]


def test_small_regions_join_along_their_lightest_edge() -> None:
    assert chain([0.0, 0.0, 0.9, 0.5, 0.0, 0.0], scale=0.01, minimum_size=2) == [0, 0, 0, 1, 1, 1, 1]


def test_points_without_edges_stay_alone() -> None:
    none = np.zeros((0, 2), np.int32)
    assert segment(none, np.zeros(0), np.zeros(0), 3, 0.1, 5).tolist() == [0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_numbering_of_points_does_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count = 60
    edges = generator.integers(0, count, (300, 2)).astype(np.int32)
    edges = edges[edges[:, 0] != edges[:, 1]]
    weight, length = generator.choice(5, len(edges)) / 5.0, generator.random(len(edges))
    shuffle = generator.permutation(count)
    regions = segment(edges, weight, length, count, 0.3, 3)
    moved = segment(shuffle[edges].astype(np.int32), weight, length, count, 0.3, 3)
    pairs = {(a, b) for a, b in zip(regions.tolist(), moved[shuffle].tolist(), strict=True)}
    assert len(pairs) == len(set(regions.tolist())) == len(set(moved.tolist()))


@pytest.mark.parametrize("values", [2, 20, 100_000])
def test_edges_come_by_weight_then_length_then_place(values: int) -> None:
    generator = np.random.default_rng(values)
    weight, length = generator.integers(0, values, 500) / values, generator.integers(0, 30, 500) / 30
    order = np.argsort(weight)
    _settle_ties(order, weight[order], length)
    assert (order == np.lexsort((length, weight))).all()


def test_ids_are_numbered_by_first_appearance() -> None:
    assert numbered(np.array([4, -1, 2, 4, 0], np.int32), 5).tolist() == [0, -1, 1, 0, 2]

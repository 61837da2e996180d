import numpy as np
import pytest
import torch

from stages.inference.suppression import mask_overlaps, unsuppressed


def overlap_of(first: np.ndarray, second: np.ndarray, points: np.ndarray) -> float:
    union = points[first | second].sum()
    return float(points[first & second].sum() / union) if union else 0.0


def by_brute_force(mask: np.ndarray, score: np.ndarray, points: np.ndarray, threshold: float) -> list[int]:
    """One candidate after the other against all that were kept."""
    kept: list[int] = []
    for candidate in sorted(range(len(mask)), key=lambda row: (-score[row], row)):
        if all(overlap_of(mask[candidate], mask[better], points) < threshold for better in kept):
            kept.append(candidate)
    return kept


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("threshold", [0.2, 0.4, 0.5, 1.0])
def test_equals_brute_force(seed: int, threshold: float) -> None:
    generator = np.random.default_rng(seed)
    mask = generator.random((25, 9)) < generator.uniform(0.1, 0.9)
    score = generator.integers(0, 6, 25) / 8  # many ties
    points = generator.integers(1, 30, 9)
    kept = unsuppressed(
        torch.from_numpy(mask), torch.from_numpy(score).float(), torch.from_numpy(points), threshold
    ).tolist()
    assert kept == by_brute_force(mask, score, points, threshold)


def test_overlaps_are_those_of_points() -> None:
    mask = torch.tensor([[True, True, False], [False, True, True], [False, False, False]])
    overlap = mask_overlaps(mask, torch.tensor([90, 10, 100]))
    np.testing.assert_array_equal(overlap, [[1, 10 / 200, 0], [10 / 200, 1, 0], [0, 0, 0]])


def test_points_decide_and_not_regions() -> None:
    mask = torch.tensor([[True, True, False], [False, True, True]])
    score = torch.tensor([0.5, 0.9])
    assert unsuppressed(mask, score, torch.tensor([1, 98, 1]), 0.5).tolist() == [1]
    assert unsuppressed(mask, score, torch.tensor([98, 1, 98]), 0.3).tolist() == [1, 0]


def test_the_threshold_itself_suppresses() -> None:
    mask = torch.tensor([[True, True], [True, False]])
    points = torch.tensor([2, 2])
    assert unsuppressed(mask, torch.tensor([0.9, 0.8]), points, 0.5).tolist() == [0]
    assert unsuppressed(mask, torch.tensor([0.9, 0.8]), points, 0.51).tolist() == [0, 1]


def test_what_a_suppressed_mask_overlaps_stays() -> None:
    mask = torch.tensor([[True, True, False, False], [False, True, True, False], [False, False, True, True]])
    kept = unsuppressed(mask, torch.tensor([0.9, 0.8, 0.7]), torch.ones(4, dtype=torch.int64), 0.3)
    assert kept.tolist() == [0, 2]


def test_the_first_of_equal_scores_stays() -> None:
    mask = torch.ones((40, 3), dtype=torch.bool)
    assert unsuppressed(mask, torch.full((40,), 0.5), torch.tensor([1, 1, 1]), 0.5).tolist() == [0]


def test_no_masks() -> None:
    nothing = unsuppressed(torch.zeros((0, 4), dtype=torch.bool), torch.zeros(0), torch.ones(4, dtype=torch.int64), 0.5)
    assert nothing.tolist() == []
    assert nothing.dtype == torch.int64


@pytest.mark.gpu
def test_the_same_on_a_gpu() -> None:
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand((50, 40), generator=generator) < 0.3
    score, points = torch.rand(50, generator=generator), torch.randint(1, 30, (40,), generator=generator)
    expected = unsuppressed(mask, score, points, 0.2)
    found = unsuppressed(mask.cuda(), score.cuda(), points.cuda(), 0.2)
    assert found.is_cuda
    assert found.tolist() == expected.tolist()

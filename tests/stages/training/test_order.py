"""The order in which training sees its scenes."""

from __future__ import annotations

import pytest
import torch

from stages.training.order import generator_for, scenes_of_step


def steps(number: int, count: int, batch_size: int, seed: int) -> list[int]:
    return [scene for step in range(number) for scene in scenes_of_step(step, count, batch_size, seed)]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 10, 25])
def test_every_epoch_has_every_scene_once(batch_size: int) -> None:
    seen = steps(40, 10, batch_size, seed=3)
    assert len(seen) == 40 * batch_size
    for start in range(0, len(seen) - 9, 10):
        assert sorted(seen[start : start + 10]) == list(range(10))


def test_batches_of_any_size_follow_the_same_order() -> None:
    assert steps(12, 5, 1, seed=0) == steps(4, 5, 3, seed=0)


def test_epochs_and_seeds_differ() -> None:
    epochs = [tuple(steps(60, 20, 1, seed)[start : start + 20]) for seed in (0, 1) for start in (0, 20, 40)]
    assert len(set(epochs)) == 6


def test_a_step_needs_no_history() -> None:
    later = scenes_of_step(1234, 17, 2, seed=5)
    steps(3, 17, 2, seed=6)
    assert scenes_of_step(1234, 17, 2, seed=5) == later


def test_one_scene_is_repeated() -> None:
    assert steps(3, 1, 2, seed=0) == [0] * 6


def test_no_scene_is_refused() -> None:
    with pytest.raises(ValueError, match="no scene"):
        scenes_of_step(0, 0, 1, seed=0)


def test_random_numbers_depend_on_seed_and_place_alone() -> None:
    def first(*place: int | str, seed: int = 0) -> float:
        return float(torch.rand((), generator=generator_for(seed, *place), dtype=torch.float64))

    assert first("augment", 2, 0) == first("augment", 2, 0)
    places: list[tuple[int | str, ...]] = [(), (1,), (0, 1), (1, 0), ("augment", 1), ("crop", 1), ("augment", 11)]
    assert len({first(*place, seed=seed) for place in places for seed in (-1, 0, 1)}) == 3 * len(places)

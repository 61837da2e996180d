from itertools import pairwise

import pytest

from stages.training.schedule import Shape, rate_factor


def curve(shape: Shape, steps: int = 100, warmup: int = 10) -> list[float]:
    return [rate_factor(step, steps=steps, warmup_steps=warmup, shape=shape) for step in range(steps)]


@pytest.mark.parametrize("shape", ["cosine", "polynomial"])
def test_rises_to_one_and_falls_to_nearly_zero(shape: Shape) -> None:
    factors = curve(shape)
    assert factors[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert factors[10] == 1
    assert all(later < earlier for earlier, later in pairwise(factors[10:]))
    assert 0 < factors[-1] < 0.03


def test_half_way_down() -> None:
    assert rate_factor(55, steps=100, warmup_steps=10, shape="cosine") == pytest.approx(0.5)
    assert rate_factor(55, steps=100, warmup_steps=10, shape="polynomial") == pytest.approx(0.5**0.9)


def test_warmup_longer_than_the_training() -> None:
    assert curve("cosine", steps=4, warmup=50) == [0.25, 0.5, 0.75, 1.0]


def test_no_warmup() -> None:
    assert curve("polynomial", steps=2, warmup=0) == pytest.approx([1.0, 0.5**0.9])

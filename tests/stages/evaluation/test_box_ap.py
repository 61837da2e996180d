import numpy as np
import pytest

from stages.evaluation.box_ap import box_average_precision
from stages.evaluation.pairs import BoxMatches, box_matches, pool


def found(overlap: list[list[float]], score: list[float]) -> BoxMatches:
    values = np.array(overlap, np.float64)
    predictions, truths = values.shape
    classes = np.zeros(max(predictions, truths), np.int32)
    return box_matches(values, classes[:predictions], np.array(score, np.float32), classes[:truths])


def test_perfect_boxes() -> None:
    assert box_average_precision(found([[1, 0], [0, 1]], [0.2, 0.9]), 0.5) == 1.0


def test_the_threshold_is_exclusive() -> None:
    assert box_average_precision(found([[0.5]], [1.0]), 0.5) == 0.0
    assert box_average_precision(found([[0.5]], [1.0]), 0.25) == 1.0


def test_worked_example() -> None:
    """Scores .9 right, .8 repeats it, .7 right, of three instances: precision 1, 1/2, 2/3; envelope 1, 2/3, 2/3."""
    scene = found([[0.8, 0.1, 0], [0.7, 0.6, 0], [0.2, 0.9, 0]], [0.9, 0.8, 0.7])
    assert box_average_precision(scene, 0.5) == pytest.approx((1 + 2 / 3) / 3)


def test_without_instances_or_predictions() -> None:
    assert np.isnan(box_average_precision(found([[], []], [0.1, 0.2]), 0.5))
    empty = box_matches(np.zeros((0, 2)), np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(2, np.int32))
    assert box_average_precision(empty, 0.5) == 0.0


def test_scenes_are_pooled_in_any_order() -> None:
    generator = np.random.default_rng(5)
    scenes = [found(generator.random((6, 4)).tolist(), generator.permutation(6).tolist()) for _ in range(3)]
    reference = box_average_precision(pool(scenes), 0.5)
    assert 0 < reference < 1
    assert box_average_precision(pool(scenes[::-1]), 0.5) == reference

import numpy as np
import pytest

from stages.evaluation.pairs import Matches, matches
from stages.evaluation.s3dis import S3disMetrics, s3dis_mean, s3dis_metrics


def scene(shared: list[list[int]], points: list[int]) -> Matches:
    """All of one class; the last column is none."""
    rows = np.array(shared, np.int64).reshape(-1, len(points))
    classes = np.zeros(len(points) - 1, np.int32)
    return matches(
        rows,
        np.zeros(len(rows), np.int32),
        np.ones(len(rows), np.float32),
        np.array(points, np.int64),
        classes,
        classes == 0,
    )


def test_worked_example() -> None:
    """IoU 1/2 (a match: the boundary counts) and 1/5 of instances with 10 and 30 points, and a scene of its own."""
    first = scene([[5, 0, 0], [0, 7, 5]], [10, 30, 100])
    second = scene([[10, 0]], [10, 0])
    found = s3dis_metrics([first, second])
    assert found.coverage == pytest.approx(((1 / 2 + 7 / 35) / 2 + 1) / 2)
    assert found.weighted_coverage == pytest.approx(((10 / 40 * 1 / 2 + 30 / 40 * 7 / 35) + 1) / 2)
    assert (found.precision50, found.recall50) == pytest.approx((2 / 3, 2 / 3))


def test_empty_masks_are_no_predictions() -> None:
    found = s3dis_metrics([scene([[10, 0], [0, 0]], [10, 5])])
    assert found == S3disMetrics(1.0, 1.0, 1.0, 1.0)


def test_no_prediction_and_no_instance() -> None:
    assert s3dis_metrics([scene([], [10, 5])]) == S3disMetrics(0.0, 0.0, 0.0, 0.0)
    nothing = s3dis_metrics([scene([[4]], [9])])
    assert np.isnan(nothing.recall50)
    assert s3dis_mean([nothing, S3disMetrics(1.0, 0.5, 0.25, 0.0)]) == S3disMetrics(1.0, 0.5, 0.25, 0.0)
    assert np.isnan(s3dis_mean([]).coverage)

import numpy as np

from stages.evaluation.pairs import matches, pool

SHARED = np.array([[5, 0, 2, 1], [0, 7, 0, 0], [0, 0, 0, 0]], np.int64)
POINTS = np.array([5, 9, 4, 30], np.int64)


def test_void_is_what_lies_in_no_instance_that_counts() -> None:
    found = matches(
        SHARED,
        np.array([0, 1, 0], np.int32),
        np.ones(3, np.float32),
        POINTS,
        np.array([0, 1, -1], np.int32),
        np.array([True, True, False]),
    )
    assert found.prediction_points.tolist() == [8, 7, 0]
    assert found.prediction_void.tolist() == [3, 0, 0]
    assert found.truth_points.tolist() == [5, 9]
    np.testing.assert_allclose(found.pair_overlap, [5 / 8, 7 / 9])
    of_class = found.of_class(1)
    assert (of_class.pair_prediction.tolist(), of_class.pair_truth.tolist()) == ([0], [0])
    assert of_class.pair_points.tolist() == [7]
    twice = pool([found, found])
    assert twice.pair_prediction.tolist() == [0, 1, 3, 4]
    assert twice.pair_truth.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(twice.pair_overlap, np.tile(found.pair_overlap, 2))

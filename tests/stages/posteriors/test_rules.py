import numpy as np

from stages.posteriors.rules import nearest_center, smallest_box, truth

CORNERS = np.array([[0, 0, 0, 4, 1, 1], [3, 0, 0, 5, 1, 1]], np.float32)
CANDIDATE = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], bool)


def test_smallest_box_and_nearest_center() -> None:
    assert smallest_box(CANDIDATE, CORNERS).tolist() == [1, 0, 1, 2]
    center = np.array([[2.5, 0.5, 0.5], [9, 9, 9], [9, 9, 9], [2, 0.5, 0.5]], np.float64)
    assert nearest_center(CANDIDATE, CORNERS, center).tolist() == [0, 0, 1, 2]


def test_no_boxes() -> None:
    assert smallest_box(CANDIDATE[:0], CORNERS[:0]).tolist() == [0, 0, 0, 0]


def test_truth_maps_instances_to_their_boxes() -> None:
    assert truth(np.array([5, -1, 4, 2], np.int32), np.array([4, -1, 5], np.int32)).tolist() == [2, 3, 0, 3]
    assert truth(np.array([0, -1], np.int32), np.zeros(0, np.int32)).tolist() == [0, 0]

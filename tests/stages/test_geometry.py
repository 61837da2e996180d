import numpy as np

from stages.geometry import box_intersections, box_overlaps, box_volumes

CORNERS = np.array([[0, 0, 0, 2, 1, 1], [1, 0, 0, 3, 1, 1], [2, 0, 0, 2, 1, 1]], np.float32)


def test_boxes_by_hand() -> None:
    np.testing.assert_allclose(box_volumes(CORNERS), [2, 2, 0.02])
    np.testing.assert_allclose(box_volumes(CORNERS, 0.0), [2, 2, 0])
    np.testing.assert_allclose(box_intersections(CORNERS), [[2, 1, 0], [1, 2, 0], [0, 0, 0]])
    expected = [[1.0, 1 / 3, 0.0], [1 / 3, 1.0, 0.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(box_overlaps(CORNERS), expected)

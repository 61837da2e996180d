import numpy as np

from stages.evaluation.boxes import box_overlaps_with, extents, mask_extents

XYZ = np.array([[0, 0, 0], [1, 2, 3], [5, 5, 5], [np.nan, 0, 0], [9, 9, 9]], np.float32)


def test_extents_leave_out_points_that_are_not_finite() -> None:
    corners = extents(XYZ, np.array([0, 0, 1, 1, -1], np.int32), 3)
    np.testing.assert_array_equal(corners, [[0, 0, 0, 1, 2, 3], [5] * 6, [np.nan] * 6])


def test_extents_of_masks_are_those_of_their_points() -> None:
    generator = np.random.default_rng(0)
    xyz = generator.random((500, 3)).astype(np.float32)
    region = generator.integers(0, 20, 500).astype(np.int32)
    mask = generator.random((4, 20)) < 0.2
    mask[3] = False
    corners = mask_extents(mask, extents(xyz, region, 20))
    for row in range(3):
        inside = xyz[mask[row][region]]
        np.testing.assert_array_equal(corners[row], np.r_[inside.min(0), inside.max(0)])
    assert np.isnan(corners[3]).all()


def test_overlap_by_hand() -> None:
    one = np.array([[0, 0, 0, 2, 2, 2], [0, 0, 0, 0, 1, 1], [np.nan] * 6], np.float32)
    other = np.array([[1, 0, 0, 3, 2, 2], [0, 0, 0, 0, 1, 1], [5, 5, 5, 6, 6, 6]], np.float32)
    expected = [[1 / 3, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(box_overlaps_with(one, other), expected)

import numpy as np

from stages.features.handcrafted import region_features, region_means

XYZ = np.array([[0, 0, 0], [2, 0, 0], [0, 4, 0], [np.nan, 0, 0]], np.float32)
REGION = np.array([0, 0, 1, -1], np.int32)
RGB = np.array([[0, 255, 0], [0, 255, 0], [255, 0, 0], [9, 9, 9]], np.uint8)


def test_means_leave_out_points_without_a_region() -> None:
    np.testing.assert_array_equal(region_means(XYZ, REGION, 3), [[1, 0, 0], [0, 4, 0], [0, 0, 0]])


def test_columns_by_hand() -> None:
    normals = np.array([[0, 0, -1.0], [0, 0, 1], [1, 0, 0], [0, 0, 0]])
    features = region_features(XYZ, RGB, normals, REGION, 2, ("position", "color", "normal"), 0.5)
    center = np.array([2, 4, 0]) / 3
    expected = np.array([[*([1, 0, 0] - center), -1, 1, -1, 0, 0, 0.5], [*([0, 4, 0] - center), 1, -1, -1, 0.5, 0, 0]])
    np.testing.assert_allclose(features.feature, expected, atol=1e-6)
    assert features.columns[3:6] == ("red", "green", "blue")


def test_what_the_scan_lacks_is_left_out() -> None:
    features = region_features(XYZ, None, None, REGION, 2, ("position", "color", "normal"), 0.5)
    assert features.columns == ("x", "y", "z")


def test_no_points() -> None:
    nothing = np.zeros((0, 3), np.float32)
    assert region_features(nothing, None, None, np.zeros(0, np.int32), 0, ("position",), 1.0).feature.shape == (0, 3)

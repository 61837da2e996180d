import numpy as np
import pytest
from scipy.special import ndtr

from stages.posteriors.faces import (
    GAP_TO_DEVIATION,
    LARGEST_DEVIATION,
    USUAL_DEVIATION,
    face_contacts,
    face_deviation,
    soft_membership,
    touching_regions,
    trust_in_faces,
)
from stages.structures import Faces

BOX = np.array([[0, 0, 0, 1, 2, 1]], np.float32)


def cloud(count: int = 4000, seed: int = 0) -> np.ndarray:
    """Points in a room of four metres around ``BOX``."""
    return (np.random.default_rng(seed).random((count, 3)) * 4 - 1).astype(np.float32)


def trusted(xyz: np.ndarray, corners: np.ndarray) -> Faces:
    return trust_in_faces(xyz, corners, face_contacts(xyz, corners))


def hull(points: np.ndarray) -> np.ndarray:
    return np.r_[points.min(axis=0), points.max(axis=0)].astype(np.float32)


def test_boxes_made_from_points_are_exact_and_moved_ones_are_not() -> None:
    xyz = cloud()
    inside = ((xyz > BOX[0, :3]) & (xyz < BOX[0, 3:])).all(axis=1)
    made = hull(xyz[inside])[None]
    assert trusted(xyz, made) == Faces("exact", 1.0)
    assert trusted(xyz, made + np.float32(0.004)) == Faces("uncertain", 0.0)


def test_on_rounded_coordinates_chance_touches_faces() -> None:
    xyz = np.round(cloud(60_000), 2)
    assert trusted(xyz, np.round(BOX + np.float32(0.013), 2)) == Faces("plain", 1.0)


def test_no_boxes_and_no_points_are_not_exact() -> None:
    assert trusted(cloud(), BOX[:0]) == Faces("uncertain", 0.0)
    assert trusted(cloud()[:0], BOX) == Faces("uncertain", 0.0)


def test_regions_that_touch() -> None:
    xyz = np.array([[0, 1, 0.5], [0.5, 1, 0.5], [0.5, 2, 0.5], [1, 5, 1], [0.5, 0.5, 1]], np.float32)
    superpoint = np.array([0, 1, 1, 2, -1], np.int32)
    assert touching_regions(face_contacts(xyz, BOX), superpoint, 3).tolist() == [[True, True, False]]


def test_soft_membership_by_hand() -> None:
    xyz = np.array([[0.5, 1, 0.5], [0, 1, 0.5], [1.03, 1, 0.5], [3, 1, 0.5], [0, 0, 0]], np.float32)
    share = soft_membership(xyz, np.array([0, 1, 2, 3, 4], np.int32), np.ones(5, np.int64), BOX, 0.03)
    np.testing.assert_allclose(share, [[1, 0.5, ndtr(-1.0), 0, 0.5**3]], atol=1e-5)


def test_soft_membership_is_the_mean_over_a_region_and_faces_of_thin_boxes_are_not_surer_than_3_mm() -> None:
    thin = np.array([[0, 0, 0, 1, 1, 0.02]], np.float32)
    xyz = np.array([[0.5, 0.5, 0.02], [0.5, 0.5, 0.023]], np.float32)
    share = soft_membership(xyz, np.zeros(2, np.int32), np.array([2]), thin, 0.03)
    np.testing.assert_allclose(share, [[(0.5 + ndtr(-1.0)) / 2]], atol=1e-4)


def test_deviation_of_noisy_boxes_is_found_in_proportion_and_too_large_where_nothing_fills_the_gaps() -> None:
    generator = np.random.default_rng(3)
    low = np.stack([np.arange(60) * 5.0, np.zeros(60), np.zeros(60)], axis=1)
    side = generator.uniform(0.5, 2.0, (60, 3))
    points = (low[:, None] + generator.random((60, 20_000, 3)) * side[:, None]).reshape(-1, 3).astype(np.float32)
    unit = np.tile(side, 2) * generator.standard_normal((60, 6))
    found = [
        face_deviation(points, (np.concatenate([low, low + side], axis=1) + deviation * unit).astype(np.float32))
        for deviation in (0.02, 0.06)
    ]
    assert 2.5 < found[1] / found[0] < 3.5
    assert 1.0 < found[1] / 0.06 < 1.28 * GAP_TO_DEVIATION + 0.1


def test_few_boxes_are_averaged_with_the_usual_deviation() -> None:
    assert face_deviation(cloud(), BOX[:0]) == pytest.approx(USUAL_DEVIATION)
    assert face_deviation(cloud()[:0], BOX) == pytest.approx(USUAL_DEVIATION)
    xyz = np.array([[0, 0, 0], [1, 2, 1]], np.float32)  # no gap at all
    assert face_deviation(xyz, BOX) == pytest.approx(0.75 * USUAL_DEVIATION)


def test_deviation_has_a_largest_value() -> None:
    xyz = np.array([[0.5, 1, 0.5]], np.float32)
    assert face_deviation(xyz, np.repeat(BOX, 40, axis=0)) == LARGEST_DEVIATION

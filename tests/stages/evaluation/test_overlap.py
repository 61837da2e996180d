import numpy as np

from stages.evaluation.overlap import (
    instance_points,
    intersection_over_union,
    mask_points,
    owner_points,
    points_in_instances,
)

SUPERPOINT = np.array([0, 0, 0, 1, 1, 2, -1, -1], np.int32)
INSTANCE = np.array([0, 0, 1, 1, -1, -1, 0, -1], np.int32)
CONTESTED = np.array([0, 1, 2], np.uint8)
MASK = np.array([[True, False, False], [True, True, True], [False, False, False]])


def test_counts_by_hand() -> None:
    counts = points_in_instances(SUPERPOINT, INSTANCE, 3, 2)
    np.testing.assert_array_equal(counts.toarray(), [[2, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]])


def test_masks_share_what_dense_masks_share() -> None:
    generator = np.random.default_rng(0)
    superpoint = generator.integers(-1, 40, 2000).astype(np.int32)
    instance = generator.integers(-1, 6, 2000).astype(np.int32)
    mask = generator.random((5, 40)) < 0.3
    contested = generator.integers(0, 3, 40).astype(np.uint8)
    shared = mask_points(mask, points_in_instances(superpoint, instance, 40, 6), contested)
    dense = np.concatenate([mask, np.zeros((5, 1), bool)], axis=1)[:, superpoint]
    kind = np.append(contested, 9)[superpoint]
    for subset, chosen in enumerate([np.ones(2000, bool), kind == 0, kind == 1, kind == 2]):
        for column, identity in enumerate([*range(6), -1]):
            expected = (dense & chosen & (instance == identity)).sum(axis=1)
            np.testing.assert_array_equal(shared[subset, :, column], expected)


def test_masks_given_by_points_or_by_regions_count_the_same() -> None:
    counts = points_in_instances(SUPERPOINT, INSTANCE, 3, 2)
    mask = np.array([[True, False, False], [False, True, True]])
    owner = np.append([0, 1, 1], -1)[SUPERPOINT].astype(np.int32)
    kind = np.append(CONTESTED, np.uint8(3))[SUPERPOINT]
    np.testing.assert_array_equal(
        owner_points(owner, INSTANCE, kind, 2, 2),
        mask_points(mask, counts, CONTESTED),
    )


def test_points_without_a_region_count_in_all_points_alone() -> None:
    counts = points_in_instances(SUPERPOINT, INSTANCE, 3, 2)
    np.testing.assert_array_equal(instance_points(counts, CONTESTED), [[3, 2, 3], [2, 1, 0], [0, 1, 1], [0, 0, 1]])
    kind = np.append(CONTESTED, np.uint8(3))[SUPERPOINT]
    shared = owner_points(np.zeros(8, np.int32), INSTANCE, kind, 1, 2)
    np.testing.assert_array_equal(shared[:, 0], [[3, 2, 3], [2, 1, 0], [0, 1, 1], [0, 0, 1]])


def test_overlap_by_hand() -> None:
    counts = points_in_instances(SUPERPOINT, INSTANCE, 3, 2)
    shared, truth = mask_points(MASK, counts, CONTESTED), instance_points(counts, CONTESTED)
    overlap = intersection_over_union(shared, truth, np.array([0, 1, -1], np.int32))
    # object 0: region 0 (3 points, 2 of them in instance 0, which has a third point without a region)
    np.testing.assert_allclose(overlap[:, 0], [2 / 4, 2 / 3, np.nan, np.nan])
    np.testing.assert_allclose(overlap[:, 1], [2 / 6, 1 / 3, 1 / 2, 0])
    assert np.isnan(overlap[:, 2]).all()

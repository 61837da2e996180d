"""How far two labellings agree."""

from dataclasses import replace

import numpy as np
import pytest

from stages.pseudo_labels.agreement import Agreement, agreement, owner_of_points
from tests.stages.export.labelled import small_room, with_ignored, with_nan


def test_labels_agree_with_themselves() -> None:
    labelled = small_room()
    boxed = labelled.owner >= 0
    points = len(labelled.scene)
    found = agreement(labelled.labels, labelled.labels, boxed)
    assert found == Agreement(points, points, int(boxed.sum()), int(boxed.sum()))


def test_a_region_that_changed_hands_counts_with_its_points() -> None:
    labelled = small_room()
    labels = labelled.labels
    region = int(np.flatnonzero(labels.mask.any(axis=0))[0])
    mask = labels.mask.copy()
    mask[:, region] = False
    size = int((labels.superpoint == region).sum())
    found = agreement(labels, replace(labels, mask=mask), labels.superpoint == region)
    assert found == Agreement(len(labelled.scene), len(labelled.scene) - size, size, 0)


def test_points_without_a_label_do_not_count() -> None:
    labelled = with_ignored(with_nan(small_room()))
    found = agreement(labelled.labels, small_room().labels, np.ones(len(labelled.scene), bool))
    np.testing.assert_array_equal(owner_of_points(labelled.labels), labelled.owner)
    assert found.points == found.same == found.boxed == int((labelled.owner != -2).sum())


def test_agreements_add_up() -> None:
    assert Agreement(1, 2, 3, 4) + Agreement(10, 20, 30, 40) == Agreement(11, 22, 33, 44)


def test_other_boxes_cannot_be_compared() -> None:
    labels = small_room().labels
    moved = replace(labels, boxes=replace(labels.boxes, corners=labels.boxes.corners + 1))
    with pytest.raises(ValueError, match="the boxes have changed since"):
        agreement(labels, moved, np.ones(3000, bool))
    with pytest.raises(ValueError, match="labels of 3000 points and of 2999"):
        agreement(labels, replace(labels, superpoint=labels.superpoint[1:]), np.ones(3000, bool))

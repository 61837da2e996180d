from dataclasses import replace

import numpy as np
import pytest

from stages.evaluation.drift import Owners, owner_of_regions, scene_drift
from stages.evaluation.records import SceneEvaluation, from_arrays, to_arrays
from stages.evaluation.scene import evaluate_scene
from tests.stages.evaluation.labelled import labels_of, row_of_cubes

BOXED = np.array([10, 20, 30, 40, 0])


def drift_of(before: list[int], now: list[int], boxes: int = 3) -> tuple[list[int], list[int], tuple[int, int, int]]:
    earlier = Owners(np.array(before, np.int32), 100, 0.5)
    found = scene_drift(earlier, np.zeros(9, np.int64), np.array(now, np.int32), BOXED, boxes)
    return (
        found.points_before.tolist(),
        found.points_now.tolist(),
        (found.to_object, found.to_background, found.from_background),
    )


def test_each_change_is_counted_where_it_belongs() -> None:
    assert drift_of([0, 0, 1, -1, 2], [0, 1, -1, 2, 2]) == ([30, 30, 0], [10, 20, 40], (20, 30, 40))


def test_the_same_labels_do_not_drift() -> None:
    assert drift_of([0, -1, 1, 1, 2], [0, -1, 1, 1, 2]) == ([10, 70, 0], [10, 70, 0], (0, 0, 0))


def test_points_outside_all_boxes_do_not_count() -> None:
    assert drift_of([0, 0, 0, 0, 1], [0, 0, 0, 0, -1]) == ([100, 0, 0], [100, 0, 0], (0, 0, 0))


@pytest.mark.parametrize("before", [[0, 0, 1, -1], [0, 0, 1, -1, 3]])
def test_other_regions_and_boxes_are_refused(before: list[int]) -> None:
    with pytest.raises(ValueError, match="the labels of the round before are about other regions or boxes"):
        drift_of(before, [0, 0, 1, -1, 2])


def test_owners_of_masks() -> None:
    assert owner_of_regions(np.array([[True, False, False], [False, False, True]])).tolist() == [0, -1, 1]
    assert owner_of_regions(np.zeros((0, 2), bool)).tolist() == [-1, -1]


def evaluated(owner: list[int], before: SceneEvaluation | None = None, confidence: float = 0.75) -> SceneEvaluation:
    """Three cubes of two regions each (200 points) and a floor, without ground truth."""
    scene, superpoint = row_of_cubes()
    labels = labels_of(scene, superpoint, np.array(owner), confidence)
    return evaluate_scene(replace(scene, instance=None, instance_class=None), superpoint, 8, labels, before)


def test_a_scene_is_compared_with_the_round_before() -> None:
    first = evaluated([0, 0, 1, 1, 2, 2, -1, -1])
    assert first.drift is None
    assert first.owners.boxed_points == 600
    assert first.owners.uncertainty == pytest.approx(0.25)
    second = evaluated([0, 0, 1, -1, 1, 1, -1, -1], first, confidence=0.9)
    drift = second.drift
    assert drift is not None
    assert (drift.points_before.tolist(), drift.points_now.tolist()) == ([200, 200, 200], [200, 300, 0])
    assert (drift.to_object, drift.to_background, drift.from_background) == (200, 100, 0)
    assert drift.uncertainty_before == first.owners.uncertainty
    assert second.owners.uncertainty == pytest.approx(0.1)
    assert drift.source_points_before.tolist() == first.source_points.tolist()


@pytest.mark.parametrize("later", [False, True])
def test_what_is_compared_is_stored(later: bool) -> None:
    found = evaluated([0, 0, 1, 1, 2, 2, -1, -1])
    if later:
        found = evaluated([0, 0, 1, -1, -1, 2, -1, -1], found)
    arrays, attributes = to_arrays(found)
    again = from_arrays({name: values for name, (values, _) in arrays.items()}, attributes)
    assert (again.drift is not None) == later
    for mine, theirs in ((found.owners, again.owners), (found.drift, again.drift)):
        assert mine is theirs or all(np.array_equal(value, vars(theirs)[name]) for name, value in vars(mine).items())

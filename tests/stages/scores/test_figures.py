import json
from dataclasses import replace

import numpy as np
import pytest

from stages.evaluation.average_precision import mask_ap
from stages.evaluation.scene import Truth, evaluate_scene, known_truth
from stages.inference.records import Predictions
from stages.scores.figures import (
    ClassNumbers,
    SceneScores,
    as_dict,
    class_agnostic_ap,
    mask_matches,
    region_truth,
    scene_scores,
    split_scores,
)
from stages.structures import Scene
from tests.stages.evaluation.labelled import labels_of, row_of_cubes
from tests.stages.scores.predicted import predictions_of

CUBES, SUPERPOINT = row_of_cubes()
"""three cubes on a floor, each in two regions of 100 points, the floor as well: regions 0 to 7; chair, table, chair"""
NAMES = ("chair", "table")
RIGHT = predictions_of([[0, 1], [2, 3], [4, 5]], 8, [0, 1, 0])


def truth_of(scene: Scene) -> Truth:
    truth = known_truth(scene)
    assert truth is not None
    return truth


def scores(predictions: Predictions, split: str = "val", scene: Scene = CUBES) -> SceneScores:
    return scene_scores(split, predictions, truth_of(scene), scene.xyz, SUPERPOINT, 8)


def agnostic(predictions: Predictions) -> float:
    return class_agnostic_ap([predictions], [region_truth(truth_of(CUBES), SUPERPOINT, 8)]).ap


def test_right_predictions_are_perfect_in_every_figure() -> None:
    found = split_scores([scores(RIGHT)], NAMES)["val"]
    assert (found.scenes, found.objects, found.proposals) == (1, 3, 3)
    for figures in (found.class_agnostic, found.by_class, *(each.figures for each in found.per_class.values())):
        assert figures.masks.ap == figures.masks.ap90 == figures.boxes.ap50 == figures.s3dis.precision50 == 1.0
    assert {name: each.objects for name, each in found.per_class.items()} == {"chair": 2, "table": 1}


def test_a_wrong_class_matters_to_classes_alone() -> None:
    found = split_scores([scores(replace(RIGHT, class_index=np.array([0, 0, 0], np.int32)))], NAMES)["val"]
    assert found.class_agnostic.masks.ap == 1.0
    assert found.per_class["table"].figures.masks.ap == 0.0
    # the chair between the two right ones costs precision: 1, 1/2, 2/3 at recall 1/2, 1/2, 1
    assert found.per_class["chair"].figures.masks.ap50 == pytest.approx(0.5 + 0.5 * (1 / 2 + 2 / 3) / 2)
    assert found.by_class.masks.ap50 == pytest.approx(found.per_class["chair"].figures.masks.ap50 / 2)


def test_average_precision_by_hand() -> None:
    # a whole cube, half a cube, nothing of the third, and the floor
    mixed = predictions_of([[0, 1], [2], [6, 7]], 8)
    found = split_scores([scores(mixed)], NAMES)["val"].class_agnostic
    # at .25: two of three are found, and found first
    assert found.masks.ap25 == pytest.approx(2 / 3)
    assert found.masks.ap50 == pytest.approx(1 / 3)
    assert found.s3dis.precision50 == found.s3dis.recall50 == pytest.approx(2 / 3)
    assert found.s3dis.coverage == pytest.approx((1 + 0.5 + 0) / 3)


def test_the_order_of_scores_matters() -> None:
    masks = [[0, 2, 4], [0, 1], [2, 3], [4, 5]]
    assert agnostic(predictions_of(masks, 8, score=[0.1, 0.7, 0.6, 0.5])) == 1.0
    # precision 0, 1/2, 2/3, 3/4 at recall 0, 1/3, 2/3, 1
    first = agnostic(predictions_of(masks, 8, score=[0.8, 0.7, 0.6, 0.5]))
    assert first == pytest.approx((0 + 1 / 2 + 1 / 2 + 2 / 3 + 2 / 3 + 3 / 4) / 6)


def test_what_lies_on_points_of_no_instance_is_neither_right_nor_wrong() -> None:
    found = split_scores([scores(predictions_of([[6, 7], [0, 1], [2, 3], [4, 5]], 8))], NAMES)["val"].class_agnostic
    assert found.masks.ap == 1.0
    assert found.s3dis.precision50 == 0.75
    assert found.boxes.ap50 < 1.0


def test_validation_sees_what_the_scores_see() -> None:
    truth = region_truth(truth_of(CUBES), SUPERPOINT, 8)
    mixed = predictions_of([[0, 1, 6], [2], [4, 5]], 8)
    pooled = split_scores([scores(RIGHT), scores(mixed)], NAMES)["val"].class_agnostic.masks
    assert class_agnostic_ap([RIGHT, mixed], [truth, truth]) == pooled


def test_masks_that_labels_have_match_as_those_of_labels() -> None:
    owner = np.array([0, 0, 1, -1, 2, 1, -1, -1])
    labels = labels_of(CUBES, SUPERPOINT, owner, confidence=0.75)
    evaluation = evaluate_scene(CUBES, SUPERPOINT, 8, labels).truth
    assert evaluation is not None
    same = predictions_of([[0, 1], [2, 5], [4]], 8, CUBES.boxes.class_index.tolist(), [0.75] * 3)
    found = scores(same)
    for name, value in vars(evaluation.matches).items():
        np.testing.assert_array_equal(getattr(found.masks, name), value)
    for name, value in vars(evaluation.boxes).items():
        np.testing.assert_array_equal(getattr(found.boxes, name), value)


def test_points_without_region_count_against_masks() -> None:
    superpoint = SUPERPOINT.copy()
    superpoint[:50] = -1
    found = mask_matches(RIGHT, region_truth(truth_of(CUBES), superpoint, 8))
    np.testing.assert_allclose(found.pair_overlap, [150 / 200, 1, 1])
    assert found.truth_points.tolist() == [200] * 3


def test_instances_of_no_class_are_void() -> None:
    unknown = replace(CUBES, instance_class=np.array([0, -1, 0], np.int32))
    found = split_scores([scores(RIGHT, scene=unknown)], NAMES)["val"]
    assert found.objects == 2
    assert found.class_agnostic.masks.ap == 1.0
    assert list(found.per_class) == ["chair"]


def test_scans_without_classes_have_no_figures_by_class() -> None:
    plain = replace(CUBES, instance_class=None, class_names=())
    found = split_scores([scores(RIGHT, scene=plain)], ("object",))["val"]
    assert found.class_agnostic.masks.ap == 1.0
    assert np.isnan(found.by_class.masks.ap)
    assert found.per_class == {}


def test_no_predictions() -> None:
    found = split_scores([scores(predictions_of([], 8))], NAMES)["val"]
    assert (found.proposals, found.class_agnostic.masks.ap, found.class_agnostic.boxes.ap25) == (0, 0.0, 0.0)
    assert found.class_agnostic.s3dis.precision50 == 0.0


def test_splits_are_kept_apart() -> None:
    found = split_scores([scores(RIGHT, ""), scores(predictions_of([], 8), "test"), scores(RIGHT, "train")], NAMES)
    assert list(found) == ["train", "test", ""]
    assert [each.class_agnostic.masks.ap for each in found.values()] == [1.0, 0.0, 1.0]
    plain = as_dict(found)
    assert list(plain) == ["train", "test", "other"]
    json.dumps(plain, allow_nan=False)
    assert split_scores([], NAMES) == {}


def test_classes_meet_by_name() -> None:
    numbers = ClassNumbers()
    index = np.array([0, 1, -1, 1], np.int32)
    assert numbers.common(index, ["chair", "table"]).tolist() == [0, 1, -1, 1]
    assert numbers.common(index, ["sofa", "chair"]).tolist() == [2, 0, -1, 0]
    assert numbers.common(np.array([-1], np.int32), []).tolist() == [-1]
    assert numbers.names == ("chair", "table", "sofa")


def test_other_regions_are_refused() -> None:
    with pytest.raises(ValueError, match="8 regions, predictions for 7"):
        scores(predictions_of([[0]], 7))


def test_validation_pools_objects_and_not_scenes() -> None:
    truth = region_truth(truth_of(CUBES), SUPERPOINT, 8)
    few, superpoint = row_of_cubes(1)
    other = region_truth(truth_of(few), superpoint, 4)
    nothing = predictions_of([], 4)
    assert class_agnostic_ap([RIGHT, nothing], [truth, other]).ap == pytest.approx(3 / 4)
    assert mask_ap(mask_matches(nothing, other)).ap == 0.0

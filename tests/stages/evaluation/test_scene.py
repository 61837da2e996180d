from dataclasses import replace

import numpy as np
import pytest

from stages.evaluation.average_precision import mask_ap
from stages.evaluation.box_ap import box_average_precision
from stages.evaluation.records import TruthEvaluation, from_arrays, to_arrays
from stages.evaluation.s3dis import s3dis_metrics
from stages.evaluation.scene import evaluate_scene, known_truth, mask_scores
from stages.structures import Boxes, Scene
from tests.stages.evaluation.labelled import labels_of, row_of_cubes
from tests.stages.scenery import reordered

OWNER = np.array([0, 0, 1, 1, 2, 2, -1, -1])
"""the right owners of the eight halves of three cubes and a floor"""


def truth_of(
    scene: Scene, superpoint: np.ndarray, owner: np.ndarray, contested: np.ndarray | None = None
) -> TruthEvaluation:
    labels = labels_of(scene, superpoint, owner, contested=contested)
    found = evaluate_scene(scene, superpoint, len(owner), labels).truth
    assert found is not None
    return found


def test_right_labels_are_perfect_everywhere() -> None:
    scene, superpoint = row_of_cubes()
    found = truth_of(scene, superpoint, OWNER)
    assert found.objects.iou[:2].tolist() == [[1.0] * 3] * 2
    assert np.isnan(found.objects.iou[2:]).all()
    assert found.objects.smallest_box_iou[0].tolist() == [1.0] * 3
    assert found.objects.oracle_iou.tolist() == [1.0] * 3
    assert found.pure_points == len(scene)
    assert mask_ap(found.matches).ap == mask_ap(found.matches).ap90 == 1.0
    assert box_average_precision(found.boxes, 0.5) == 1.0
    assert s3dis_metrics([found.matches]).weighted_coverage == 1.0


def test_half_masks() -> None:
    scene, superpoint = row_of_cubes()
    found = truth_of(scene, superpoint, np.array([0, -1, 1, -1, 2, -1, -1, -1]))
    assert found.objects.iou[0].tolist() == [0.5] * 3
    assert found.objects.oracle_iou.tolist() == [1.0] * 3
    assert mask_ap(found.matches).ap50 == 0.0
    assert mask_ap(found.matches).ap25 == 1.0


def test_the_split_by_kind_of_region() -> None:
    scene, superpoint = row_of_cubes()
    contested = np.array([0, 1, 2, 2, 0, 0, 0, 2])
    # the second half of cube 0 is lost, part of the floor is given to cube 1
    found = truth_of(scene, superpoint, np.array([0, -1, 1, 1, 2, 2, -1, 1]), contested=contested)
    np.testing.assert_allclose(found.objects.iou[:, 0], [1 / 2, 1, 0, np.nan])
    np.testing.assert_allclose(found.objects.iou[:, 1], [2 / 3, np.nan, np.nan, 2 / 3])
    assert found.samples.points.tolist() == [100] * 4
    assert found.samples.correct.tolist() == [0, 100, 100, 0]
    assert found.samples.kind.tolist() == [1, 2, 2, 2]


def test_points_without_a_region_belong_to_no_mask() -> None:
    scene, superpoint = row_of_cubes()
    superpoint[:50] = -1
    found = truth_of(scene, superpoint, OWNER)
    np.testing.assert_allclose(found.objects.iou[:2, 0], [150 / 200, 1.0])
    assert found.objects.oracle_iou[0] == 150 / 200
    assert found.pure_points == len(scene) - 50


def test_sources_count_points() -> None:
    scene, superpoint = row_of_cubes()
    superpoint[0] = -1
    found = evaluate_scene(scene, superpoint, 8, labels_of(scene, superpoint, OWNER))
    assert found.source_points[:2].tolist() == [200, 599]
    assert found.source_points.sum() == 799


@pytest.mark.parametrize("seed", [0, 1])
def test_points_and_objects_may_be_in_any_order(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scene, superpoint = row_of_cubes()
    owner = np.array([0, 2, 1, -1, 2, 2, 1, -1])
    contested = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    reference = truth_of(scene, superpoint, owner, contested=contested)
    points, objects, regions = generator.permutation(800), generator.permutation(3), generator.permutation(8)
    boxes = Boxes(*(values[objects] for values in vars(scene.boxes).values()))
    shuffled = replace(reordered(scene, points), boxes=boxes)
    place = np.append(np.argsort(objects), -1)
    found = truth_of(
        shuffled,
        np.argsort(regions)[superpoint[points]].astype(np.int32),
        place[owner[regions]],
        contested=contested[regions],
    )
    np.testing.assert_allclose(found.objects.iou, reference.objects.iou[:, objects])
    np.testing.assert_allclose(found.objects.smallest_box_iou, reference.objects.smallest_box_iou[:, objects])
    np.testing.assert_allclose(found.objects.oracle_iou, reference.objects.oracle_iou[objects])
    assert mask_ap(found.matches) == mask_ap(reference.matches)
    assert sorted(found.samples.correct) == sorted(reference.samples.correct)


def test_instances_of_no_class_are_void() -> None:
    scene, superpoint = row_of_cubes()
    classes = np.array([0, -1, 0], np.int32)
    # cube 1 is given to box 0 although no box annotates it
    found = truth_of(replace(scene, instance_class=classes), superpoint, np.array([0, 0, 0, 0, 2, 2, -1, -1]))
    assert found.matches.truth_class.tolist() == [0, 0]
    assert found.matches.prediction_void.tolist() == [200, 0, 0]
    assert len(found.boxes.truth_class) == 2


def test_scans_without_classes_count_every_instance() -> None:
    scene, superpoint = row_of_cubes()
    for classes in (None, np.full(3, -1, np.int32)):
        plain = replace(scene, instance_class=classes, class_names=())
        found = truth_of(plain, superpoint, OWNER)
        assert found.matches.truth_class.tolist() == [-1] * 3
        assert mask_ap(found.matches).ap == 1.0


def test_scenes_without_truth_or_points_or_boxes() -> None:
    scene, superpoint = row_of_cubes()
    blind = replace(scene, instance=None, instance_class=None)
    assert evaluate_scene(blind, superpoint, 8, labels_of(blind, superpoint, OWNER)).truth is None
    bare = replace(scene, boxes=Boxes.empty())
    found = truth_of(bare, superpoint, np.full(8, -1))
    assert found.objects.iou.shape == (4, 0)
    assert mask_ap(found.matches).ap == 0.0
    nothing = np.zeros(0, np.int32)
    empty = Scene("empty", np.zeros((0, 3), np.float32), Boxes.empty(), instance=nothing, instance_class=nothing)
    assert truth_of(empty, nothing, np.zeros(0, np.int64)).pure_points == 0


def test_inputs_that_do_not_belong_together_are_refused() -> None:
    scene, superpoint = row_of_cubes()
    labels = labels_of(scene, superpoint, OWNER)
    with pytest.raises(ValueError, match="800 points, its superpoints have 799"):
        evaluate_scene(scene, superpoint[1:], 8, labels)
    with pytest.raises(ValueError, match="only 2 instances have a class"):
        known_truth(replace(scene, instance_class=np.zeros(2, np.int32)))


def test_score_is_the_mean_probability_over_points() -> None:
    mask = np.array([[True, True, False], [False, False, False]])
    probability = np.array([[1.0, 0.5, 0.9], [0, 0, 0.1]], np.float32)
    np.testing.assert_allclose(mask_scores(mask, probability, np.array([3, 1, 9])), [3.5 / 4, 0])


def test_arrays_and_back() -> None:
    scene, superpoint = row_of_cubes()
    contested = np.array([0, 1, 2, 2, 0, 0, 0, 2])
    for given in (scene, replace(scene, instance=None, instance_class=None)):
        labels = labels_of(given, superpoint, OWNER, contested=contested, confidence=0.75)
        arrays, attributes = to_arrays(evaluate_scene(given, superpoint, 8, labels))
        assert all(values.ndim == len(dimensions) for values, dimensions in arrays.values())
        again, attributes_again = to_arrays(
            from_arrays({name: values for name, (values, _) in arrays.items()}, attributes)
        )
        assert attributes_again == attributes
        assert arrays.keys() == again.keys()
        for name, (values, dimensions) in arrays.items():
            np.testing.assert_array_equal(again[name][0], values)
            assert again[name][1] == dimensions

from dataclasses import replace

import numpy as np
import pytest

from stages.evaluation.label_quality import label_ap
from stages.evaluation.records import SceneEvaluation
from stages.evaluation.scene import evaluate_scene
from stages.summary.figures import class_names, pool_figures
from tests.stages.evaluation.labelled import labels_of, row_of_cubes


def evaluation(name: str, owner: list[int], cubes: int = 3, truth: bool = True) -> SceneEvaluation:
    scene, superpoint = row_of_cubes(cubes, name=name)
    if not truth:
        scene = replace(scene, instance=None, instance_class=None)
    regions = len(owner)
    contested = np.arange(regions) % 3
    labels = labels_of(scene, superpoint, np.array(owner), confidence=0.75, contested=contested)
    return evaluate_scene(scene, superpoint, regions, labels)


RIGHT = evaluation("a_right", [0, 0, 1, 1, 2, 2, -1, -1])
HALF = evaluation("b_half", [0, -1, 1, -1], cubes=1, truth=False)
MIXED = evaluation("c_mixed", [0, 0, 1, -1, -1, 2, 2, -1])
LONG = evaluation("d_long", [0, 0, 1, 1, 2, 2, 3, -1, -1, -1], cubes=4)


def test_right_labels_are_perfect_in_every_figure() -> None:
    truth = pool_figures([RIGHT]).truth
    assert truth is not None
    for quality in (truth.labels.quality, truth.smallest_box.quality, truth.oracle):
        assert (quality.objects, quality.ap, quality.ap90, quality.mean_iou) == (3, 1.0, 1.0, 1.0)
    assert truth.labels.subset_iou == {"determined": 1.0, "overlap": 1.0, "background": 1.0}
    for found in (truth.by_class, truth.class_agnostic):
        assert found.masks.ap == found.boxes.ap50 == found.s3dis.precision50 == 1.0
    assert list(truth.per_class) == ["chair", "table"]
    assert truth.purity == 1.0
    # always right, but said with .75 of objects (four of five contested regions); background takes what is left, all
    together = truth.calibration["together"]
    assert together.ece == pytest.approx(0.25 * 4 / 5)
    assert (together.regions, together.accuracy) == (5, 1.0)
    assert together.points == truth.calibration["overlap"].points + truth.calibration["background"].points


def test_calibration_stands_beside_the_accuracy_of_the_other_rooms() -> None:
    alone, together = pool_figures([RIGHT]).truth, pool_figures([RIGHT, MIXED]).truth
    assert alone is not None
    assert together is not None
    assert alone.base_rate == {}
    other = pool_figures([MIXED]).truth
    assert other is not None
    ours, constant = together.calibration["together"], together.base_rate["together"]
    assert (constant.points, constant.accuracy) == (ours.points, ours.accuracy)
    # each of two rooms is told the accuracy of the other
    known = [truth.calibration["together"] for truth in (alone, other)]
    told = known[0].points * known[1].accuracy + known[1].points * known[0].accuracy
    assert constant.confidence == pytest.approx(told / ours.points)
    assert constant.room_ece == pytest.approx(abs(known[0].accuracy - known[1].accuracy))
    assert ours.room_ece == pytest.approx((known[0].ece + known[1].ece) / 2)


def test_objects_are_pooled_over_scenes() -> None:
    figures = pool_figures([RIGHT, MIXED, LONG])
    assert figures.truth is not None
    scenes = [scene.truth for scene in (RIGHT, MIXED, LONG)]
    iou = np.concatenate([scene.objects.iou[0] for scene in scenes if scene is not None])
    assert figures.truth.labels.quality == label_ap(iou)
    assert figures.truth.labels.quality.objects == 10
    assert figures.truth.labels.quality.mean_iou == pytest.approx((3 + (1 + 1 / 2 + 1 / 3) + (3 + 1 / 2)) / 10)
    chairs = figures.truth.per_class["chair"]
    assert chairs.labels.objects == 2 + 2 + 2
    assert figures.truth.per_class["table"].labels.objects == 1 + 1 + 2


def test_scenes_may_come_in_any_order() -> None:
    assert pool_figures([LONG, HALF, MIXED, RIGHT]).as_dict() == pool_figures([RIGHT, HALF, MIXED, LONG]).as_dict()


def test_scenes_without_truth_count_where_none_is_needed() -> None:
    figures = pool_figures([RIGHT, HALF])
    assert (figures.scenes, figures.scenes_without_truth, figures.objects) == (2, 1, 4)
    assert figures.truth is not None
    assert pool_figures([RIGHT]).truth is not None
    assert figures.truth.labels.quality.objects == 3
    assert figures.points == 800 + 400
    assert figures.truth.purity == 1.0
    assert figures.source_share["background"] == pytest.approx((200 + 200) / 1200)
    assert pool_figures([HALF]).truth is None
    assert pool_figures([HALF]).as_dict()["truth"] is None


def test_no_scene_at_all() -> None:
    figures = pool_figures([])
    assert (figures.scenes, figures.points, figures.truth) == (0, 0, None)


def renamed(scene: SceneEvaluation, names: tuple[str, ...]) -> SceneEvaluation:
    return replace(scene, class_names=names)


def test_classes_are_pooled_by_name() -> None:
    # the same scene, once with its two classes the other way round
    other = renamed(MIXED, ("table", "chair"))
    assert class_names([RIGHT, other]) == ("chair", "table")
    truth = pool_figures([RIGHT, other]).truth
    assert truth is not None
    assert truth.per_class["chair"].labels.objects == 2 + 1
    assert truth.per_class["table"].labels.objects == 1 + 2
    assert truth.per_class["table"].predictions.s3dis.recall50 == pytest.approx(2 / 3)


def test_plain_values_have_no_nan() -> None:
    plain = pool_figures([renamed(RIGHT, ())]).as_dict()["truth"]
    assert plain["calibration"]["together"]["auroc"] is None
    assert plain["by_class"]["masks"]["ap"] is None
    assert plain["class_agnostic"]["masks"]["ap"] == 1.0

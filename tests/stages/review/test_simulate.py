"""The gain of a review that the truth makes, on rows of cubes that can be counted by hand."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from stages.evaluation.label_quality import label_ap
from stages.evaluation.overlap import points_in_instances
from stages.evaluation.scene import evaluate_scene
from stages.review.simulate import Quality, ReviewScene, review_curve
from tests.stages.evaluation.labelled import labels_of, row_of_cubes

OWNER = np.array([0, 0, 1, 1, 2, 2, -1, -1])
"""the right owners of the eight halves of three cubes and a floor"""
PERFECT = Quality(1.0, 1.0)


def review_scene(owner: np.ndarray, uncertainty: list[float], unknown: tuple[int, ...] = ()) -> ReviewScene:
    """A row of cubes whose regions belong to ``owner``; those of uncertainty above 0 are contested."""
    scene, superpoint = row_of_cubes()
    assert scene.instance is not None
    labels = labels_of(scene, superpoint, owner)
    doubt = np.array(uncertainty, np.float32)
    instance = np.where(np.isin(np.arange(3), unknown), -1, np.arange(3)).astype(np.int32)
    counts = points_in_instances(superpoint, scene.instance, 8, 3)
    gain = doubt.astype(np.float64)
    return ReviewScene(labels.mask, (doubt > 0).astype(np.uint8), labels.ignore, doubt, gain, counts, instance)


def test_uncertain_errors_are_found_first() -> None:
    # half a cube is given to background, and half of another one to its neighbour
    wrong = np.array([0, -1, 1, 2, 2, 2, -1, -1])
    scene = review_scene(wrong, [0.1, 0.9, 0.2, 0.8, 0, 0, 0.3, 0])
    curve = review_curve([scene], [1, 2, 9], seeds=3)
    assert (curve.scenes, curve.objects, curve.contested, curve.seeds) == (1, 3, 5, 3)
    # IoU 1/2, 1/2, 2/3: above 0.50, 0.55, 0.60, 0.65 of the nine thresholds
    assert astuple(curve.before) == pytest.approx((4 / 27, 5 / 9))
    assert curve.everything == PERFECT
    one, two, nine = curve.steps
    assert astuple(one.most_uncertain) == pytest.approx((13 / 27, (1 + 1 / 2 + 2 / 3) / 3))
    assert two.most_uncertain == PERFECT
    assert one.least_uncertain == two.least_uncertain == curve.before
    assert nine.most_uncertain == nine.least_uncertain == nine.random == curve.everything
    assert nine.random_deviation == Quality(0.0, 0.0)
    assert [step.regions for step in curve.steps] == [1, 2, 5]
    assert curve.before.mean_iou <= one.random.mean_iou <= one.most_uncertain.mean_iou


def test_the_queue_is_in_the_order_of_the_expected_gain() -> None:
    scene = review_scene(np.array([0, -1, 1, 1, 2, 2, -1, -1]), [0, 0.6, 0.7, 0, 0, 0, 0, 0])
    curve = review_curve([replace(scene, gain=np.array([0, 0.2, 0.1, 0, 0, 0, 0, 0]))], [1])
    assert curve.steps[0].most_uncertain == curve.before
    assert curve.steps[0].largest_gain == curve.everything != curve.before


def test_regions_that_no_mask_may_use_and_determined_ones_are_not_reviewed() -> None:
    scene = review_scene(np.array([-1, -1, 1, 1, 2, 2, -1, -1]), [0.5, 0, 0, 0, 0, 0, 0, 0])
    assert review_curve([replace(scene, ignore=np.arange(8) == 0)], [5]).contested == 0
    curve = review_curve([scene], [5])
    assert curve.everything.mean_iou == pytest.approx((0.5 + 1 + 1) / 3)


def test_objects_whose_instance_nobody_knows_do_not_count() -> None:
    scene = review_scene(np.array([0, 0, 0, 1, 2, 2, -1, -1]), [0, 0, 0.5, 0, 0, 0, 0, 0], unknown=(1,))
    curve = review_curve([scene], [1])
    assert curve.objects == 2
    # what belongs to the unknown object is background to whoever reviews
    assert curve.before.mean_iou == pytest.approx((2 / 3 + 1) / 2)
    assert curve.steps[0].most_uncertain == PERFECT


def test_before_and_after_are_what_the_evaluation_measures() -> None:
    generator = np.random.default_rng(0)
    scene, superpoint = row_of_cubes()
    mixed = generator.permutation(superpoint)[: len(superpoint) // 3]
    superpoint[: len(mixed)] = mixed
    assert scene.instance is not None
    owner = generator.integers(-1, 3, 8)
    labels = labels_of(scene, superpoint, owner, contested=np.ones(8))
    found = evaluate_scene(scene, superpoint, 8, labels).truth
    assert found is not None
    counts = points_in_instances(superpoint, scene.instance, 8, 3)
    instances = np.arange(3, dtype=np.int32)
    review = ReviewScene(
        labels.mask, labels.contested, labels.ignore, labels.uncertainty, np.zeros(8), counts, instances
    )
    curve = review_curve([review], [])
    quality, oracle = label_ap(found.objects.iou[0]), label_ap(found.objects.oracle_iou)
    assert astuple(curve.before) == pytest.approx((quality.ap, quality.mean_iou))
    assert astuple(curve.everything) == pytest.approx((oracle.ap, oracle.mean_iou))


def test_scenes_are_pooled_and_not_averaged() -> None:
    right = review_scene(OWNER, [0.0] * 8)
    wrong = review_scene(np.full(8, -1), [0.5] * 8, unknown=(1, 2))
    curve = review_curve([right, wrong], [8])
    assert curve.before.mean_iou == pytest.approx(3 / 4)
    assert curve.steps[0].most_uncertain.mean_iou == 1


def test_chance_is_the_same_each_time() -> None:
    scene = review_scene(np.array([-1, 0, 2, 1, 2, -1, -1, -1]), [0.5] * 8)
    assert review_curve([scene], [3]) == review_curve([scene], [3])
    assert review_curve([scene], [3]).steps[0].random_deviation.mean_iou > 0


def test_without_scenes_there_is_no_curve() -> None:
    with pytest.raises(ValueError, match="no scene with a ground truth"):
        review_curve([], [1])

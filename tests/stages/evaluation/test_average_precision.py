import numpy as np
import pytest

from stages.evaluation.average_precision import (
    THRESHOLDS,
    AveragePrecision,
    area_under_curve,
    average_precision,
    mask_ap,
    mean_over_classes,
)
from stages.evaluation.pairs import Matches, matches, pool


def from_masks(
    masks: list[np.ndarray], scores: list[float], instance: np.ndarray, classes: list[int], void: tuple[int, ...] = ()
) -> Matches:
    """Matches of dense masks [N] with instances, all predictions of class 0."""
    columns = [instance == each for each in range(len(classes))] + [instance < 0]
    shared = np.array([[(mask & column).sum() for column in columns] for mask in masks]).reshape(-1, len(columns))
    counts = np.array([each not in void for each in range(len(classes))], bool)
    return matches(
        shared.astype(np.int64),
        np.zeros(len(masks), np.int32),
        np.array(scores, np.float32),
        np.array([column.sum() for column in columns], np.int64),
        np.array(classes, np.int32),
        counts,
    )


def span(start: int, stop: int, points: int = 2000) -> np.ndarray:
    inside = np.zeros(points, bool)
    inside[start:stop] = True
    return inside


def blocks(*sizes: int, points: int = 2000) -> np.ndarray:
    """Instances 0, 1, .. of these sizes one after the other, then none."""
    instance = np.full(points, -1, np.int32)
    instance[: sum(sizes)] = np.repeat(np.arange(len(sizes)), np.array(sizes, np.int64))
    return instance


def test_perfect_masks() -> None:
    found = from_masks([span(0, 200), span(200, 500)], [0.9, 0.1], blocks(200, 300), [0, 0])
    assert mask_ap(found) == AveragePrecision(1.0, 1.0, 1.0, 1.0)


def test_an_overlap_of_exactly_the_threshold_is_no_match() -> None:
    found = from_masks([span(0, 100)], [1.0], blocks(200), [0])
    assert found.pair_overlap.tolist() == [0.5]
    assert average_precision(found, 0.5) == 0.0
    assert average_precision(from_masks([span(0, 101)], [1.0], blocks(200), [0]), 0.5) == 1.0


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_every_threshold_is_exclusive_in_exact_arithmetic(threshold: float) -> None:
    exact = round(threshold * 1000)
    assert average_precision(from_masks([span(0, exact)], [1.0], blocks(1000), [0]), threshold) == 0.0
    assert average_precision(from_masks([span(0, exact + 1)], [1.0], blocks(1000), [0]), threshold) == 1.0


def test_worked_example() -> None:
    """Scores .9 right, .8 wrong, .7 right, .6 repeats the first, of three instances.

    Points (recall, precision): (0, 1), (1/3, 1), (1/3, 1/2), (2/3, 2/3), (2/3, 1/2): the trapezoids are
    1/3 * 1 + 0 + 1/3 * (1/2 + 2/3) / 2 + 0 = 19/36.
    """
    instance = blocks(200, 200, 200)
    masks = [span(0, 200), span(700, 900), span(200, 400), span(0, 150)]
    found = from_masks(
        masks, [0.9, 0.8, 0.7, 0.6], np.where(span(700, 900), 3, instance).astype(np.int32), [0, 0, 0, 1]
    )
    found = found.of_class(0)
    assert average_precision(found, 0.5) == pytest.approx(19 / 36)
    # at 0.75 the shorter mask no longer repeats a match: it is a plain false positive, at the same place
    assert average_precision(found, 0.75) == pytest.approx(19 / 36)


def test_of_two_masks_on_one_instance_the_better_score_is_right() -> None:
    found = from_masks([span(0, 150), span(0, 200)], [0.9, 0.5], blocks(200), [0])
    # (0, 1), (1, 1), (1, 1/2)
    assert average_precision(found, 0.5) == 1.0
    # above 3/4 the first is wrong and ranks first: (0, 1), (0, 0), (1, 1/2)
    assert average_precision(found, 0.75) == pytest.approx(0.25)


def test_small_predictions_are_dropped_and_small_instances_ignored() -> None:
    instance = blocks(200, 99)
    whole, small = span(0, 200), span(200, 299)
    without = average_precision(from_masks([whole], [0.5], instance, [0, 0]), 0.5)
    assert without == 1.0
    assert average_precision(from_masks([whole, small], [0.5, 0.9], instance, [0, 0]), 0.5) == without
    # 120 points around the small instance: it is matched, hence neither right nor wrong
    assert average_precision(from_masks([whole, span(200, 320)], [0.5, 0.9], instance, [0, 0]), 0.5) == without


def test_predictions_in_void_are_ignored_up_to_the_threshold() -> None:
    instance = np.full(2000, 1, np.int32)
    instance[:200] = 0
    instance[200:400] = -1
    instance[600:800] = 2
    right = span(0, 200)
    # 51 % in points of no instance, or of an instance that does not count
    for start in (298, 502):
        found = from_masks([right, span(start, start + 200)], [0.5, 0.9], instance, [0, 1, -1], void=(2,)).of_class(0)
        assert average_precision(found, 0.5) == 1.0
        assert average_precision(found, 0.55) == pytest.approx(0.25)
    # the points of another class are not void
    found = from_masks([right, span(900, 1100)], [0.5, 0.9], instance, [0, 1, -1], void=(2,)).of_class(0)
    assert average_precision(found, 0.5) == pytest.approx(0.25)


def test_no_instance_is_undefined_and_no_prediction_is_zero() -> None:
    assert np.isnan(average_precision(from_masks([span(0, 200)], [1.0], blocks(), []), 0.5))
    assert np.isnan(average_precision(from_masks([], [], blocks(99), [0]), 0.5))
    assert average_precision(from_masks([], [], blocks(200), [0]), 0.5) == 0.0
    assert average_precision(from_masks([span(600, 800)], [1.0], blocks(200), [0]), 0.5) == 0.0


def test_the_curve_is_the_convolution_of_the_benchmark() -> None:
    generator = np.random.default_rng(1)
    for truths in (5, 40):
        score = np.round(generator.random(60), 1).astype(np.float32)
        true = generator.random(60) < 0.5
        true &= np.cumsum(true) <= truths
        precision, recall = [], []
        for level in np.unique(score):
            chosen = score >= level
            precision.append(true[chosen].mean())
            recall.append(true[chosen].sum() / truths)
        precision, recall = [*precision, 1.0], [recall[0], *recall, 0.0, 0.0]
        expected = np.dot(precision, np.convolve(recall, [-0.5, 0, 0.5], "valid"))
        assert area_under_curve(score[true], score[~true], truths) == pytest.approx(expected, abs=1e-12)


def random_matches(seed: int) -> tuple[list[np.ndarray], list[float], np.ndarray]:
    """Masks that cover parts of instances, with distinct scores."""
    generator = np.random.default_rng(seed)
    instance = blocks(300, 250, 400, 150, 90)
    edges = np.cumsum([0, 300, 250, 400, 150, 90])
    masks = []
    for _ in range(12):
        each = generator.integers(0, 5)
        masks.append(
            span(int(edges[each] + generator.integers(0, 120)), int(edges[each + 1] + generator.integers(0, 60)))
        )
    return masks, generator.permutation(12).tolist(), instance


def test_the_order_of_predictions_instances_and_scenes_does_not_matter() -> None:
    first, second = (from_masks(*random_matches(seed), [0] * 5) for seed in (1, 2))
    reference = mask_ap(pool([first, second]))
    assert 0.1 < reference.ap < 0.9
    assert mask_ap(pool([second, first])) == reference
    masks, scores, instance = random_matches(1)
    order = np.random.default_rng(0).permutation(12)
    renamed = np.append([3, 0, 4, 1, 2], -1)[instance].astype(np.int32)
    moved = from_masks([masks[each] for each in order], [scores[each] for each in order], renamed, [0] * 5)
    assert mask_ap(pool([moved, second])) == reference


def test_scenes_are_pooled_and_not_averaged() -> None:
    good = from_masks([span(0, 200)], [0.1], blocks(200), [0])
    bad = from_masks([span(300, 500)], [0.9], np.where(span(300, 500), 1, blocks(200)).astype(np.int32), [0, 1])
    # the false positive of one scene outranks the true positive of the other: (0, 1), (0, 0), (1/2, 1/2)
    assert average_precision(pool([good, bad.of_class(0)]), 0.5) == pytest.approx(0.125)


def test_mean_over_classes_leaves_out_classes_without_instances() -> None:
    nothing = AveragePrecision(*[float("nan")] * 4)
    mean = mean_over_classes([AveragePrecision(1.0, 1.0, 1.0, 1.0), nothing, AveragePrecision(0.0, 0.5, 1.0, 0.0)])
    assert mean == AveragePrecision(0.5, 0.75, 1.0, 0.5)
    assert np.isnan(mean_over_classes([nothing]).ap)

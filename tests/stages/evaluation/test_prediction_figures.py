from dataclasses import replace

import numpy as np
import pytest

from stages.evaluation.average_precision import mask_ap
from stages.evaluation.box_ap import box_average_precision
from stages.evaluation.pairs import BoxMatches, Matches, pool
from stages.evaluation.prediction_figures import mean_of_classes, mean_of_known, prediction_figures
from stages.evaluation.s3dis import s3dis_metrics

INDEX = np.array([0, 1], np.int32)
MASKS = Matches(
    prediction_class=INDEX,
    prediction_score=np.array([0.9, 0.8], np.float32),
    truth_class=INDEX,
    pair_prediction=INDEX,
    pair_truth=INDEX,
    prediction_points=np.array([200, 200], np.int64),
    prediction_void=np.array([0, 140], np.int64),
    truth_points=np.array([200, 200], np.int64),
    pair_points=np.array([200, 60], np.int64),
)
"""the first object as it is, hardly anything of the second"""
BOXES = BoxMatches(
    prediction_class=INDEX,
    prediction_score=np.array([0.9, 0.8], np.float32),
    truth_class=INDEX,
    pair_prediction=INDEX,
    pair_truth=INDEX,
    pair_overlap=np.array([1.0, 0.3]),
)


def test_each_figure_is_that_of_its_own_metric() -> None:
    found = prediction_figures([MASKS, MASKS], [BOXES, BOXES])
    assert found.masks == mask_ap(pool([MASKS, MASKS]))
    assert found.boxes.ap25 == box_average_precision(BOXES, 0.25) == 1.0
    assert found.boxes.ap50 == box_average_precision(BOXES, 0.5) == 0.5
    assert found.s3dis == s3dis_metrics([MASKS, MASKS])


def test_classes_without_instances_do_not_count() -> None:
    first, second, nothing = (prediction_figures([MASKS.of_class(k)], [BOXES.of_class(k)]) for k in (0, 1, 2))
    mean = mean_of_classes([first, second, nothing])
    assert (mean.masks.ap50, mean.boxes.ap25, mean.boxes.ap50) == (0.5, 1.0, 0.5)
    assert mean.s3dis.coverage == pytest.approx((1 + 60 / 340) / 2)
    none = mean_of_classes([nothing])
    assert np.isnan([none.masks.ap, none.boxes.ap25, none.s3dis.recall50]).all()
    assert np.isnan(mean_of_classes([]).boxes.ap50)


def test_void_predictions_are_not_wrong() -> None:
    everything_void = replace(MASKS, prediction_void=np.array([0, 200], np.int64))
    lost = everything_void.select(np.array([True, True]), np.array([True, False]))
    assert prediction_figures([lost], [BOXES]).masks.ap == 1.0


def test_mean_of_what_is_known() -> None:
    assert mean_of_known(np.array([0.25, np.nan, 0.75])) == 0.5
    assert np.isnan(mean_of_known(np.array([np.nan])))

import json
import math

import numpy as np

from stages.evaluation.calibration import Reliability
from stages.report import charts
from stages.report.facts import ReviewLine
from stages.report.regions import ObjectFacts


def an_object(name: str, iou: float) -> ObjectFacts:
    return ObjectFacts("room", 0, name, 10, 0.5, iou)


def test_every_object_is_in_one_bin_of_the_histogram() -> None:
    chart = charts.iou_histogram([an_object("a", iou) for iou in (0.0, 0.33, 0.99, 1.0, math.nan)], [0.5, math.nan])
    assert chart is not None
    assert sum(chart.data[0]["y"]) == 4
    assert chart.data[0]["y"][-1] == 2
    assert sum(chart.data[1]["y"]) == 1


def test_without_truth_there_are_no_charts_of_quality() -> None:
    objects = [an_object("a", math.nan)]
    assert charts.iou_histogram(objects, []) is None
    assert charts.iou_by_class(objects) is None
    assert charts.reliability_chart({}) is None
    assert charts.review_chart([]) is None


def test_classes_come_by_their_median_and_cannot_hold_tags() -> None:
    objects = [an_object("good", 0.9), an_object("<b>bad", 0.1), an_object("<b>bad", 0.3), an_object("good", 0.7)]
    chart = charts.iou_by_class(objects)
    assert chart is not None
    assert [trace["name"] for trace in chart.data] == ["&lt;b&gt;bad", "good"]


def test_uncertainty_is_in_shares_of_the_contested_points() -> None:
    histogram = np.zeros((3, 20), np.int64)
    histogram[0, 0], histogram[1, 3], histogram[2, 19] = 500, 30, 10
    chart = charts.uncertainty_histogram(histogram)
    assert chart is not None
    assert chart.data[0]["y"][3] == 0.75
    assert chart.data[1]["y"][19] == 0.25
    assert charts.uncertainty_histogram(histogram * [[1], [0], [0]]) is None


def test_charts_are_plain_values_for_json() -> None:
    table = Reliability(np.array([5]), np.array([0.5]), np.array([0.25]))
    found = [
        charts.iou_histogram([an_object("a", 0.5)], [0.4]),
        charts.iou_by_class([an_object("a", 0.5)]),
        charts.reliability_chart({"overlap": table}),
        charts.sources_chart({"gp": 0.75, "background": 0.25}),
        charts.seconds_chart({"scenes": [0.5, 1.5]}),
        charts.review_chart([ReviewLine("at random", (0, 5), (0.5, 0.6), (0.0, 0.1))]),
    ]
    for chart in found:
        assert chart is not None
        assert json.loads(json.dumps(chart.plain(), allow_nan=False))["id"] == chart.id


def test_layouts_of_charts_share_nothing() -> None:
    one, other = charts.sources_chart({"gp": 1.0}), charts.seconds_chart({"scenes": [1.0]})
    assert one is not None
    assert other is not None
    assert "type" not in one.layout["xaxis"]
    assert other.layout["xaxis"]["type"] == "log"

import csv
import io
import json

import pytest

from stages.summary import files
from stages.summary.costs import StageCost
from stages.summary.figures import pool_figures
from tests.stages.summary.test_figures import HALF, MIXED, RIGHT

SCENES = [RIGHT, HALF, MIXED]
FIGURES = pool_figures(SCENES)


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_json_holds_every_figure_cost_and_warning() -> None:
    cost = StageCost("scenes", 1, 1.0, 1.0, 1.0, 2)
    content = json.loads(files.summary_json(FIGURES, [cost], ["beware"]))
    assert content["truth"]["labels"]["quality"]["objects"] == 6
    assert content["costs"][0]["peak_memory_bytes"] == 2
    assert content["warnings"] == ["beware"]


def test_one_row_an_object() -> None:
    found = rows(files.per_object_csv(SCENES))
    assert [(row["scene"], row["object"], row["class"]) for row in found[:3]] == [
        ("a_right", "0", "chair"),
        ("a_right", "1", "table"),
        ("a_right", "2", "chair"),
    ]
    assert [float(row["iou"]) for row in found] == [1.0, 1.0, 1.0, 1.0, 0.5, 1 / 3]
    assert len(found) == 6


def test_one_row_a_scene_also_without_truth() -> None:
    found = rows(files.per_scene_csv(SCENES))
    assert [row["scene"] for row in found] == ["a_right", "b_half", "c_mixed"]
    assert (found[0]["ap"], found[1]["ap"], found[1]["points"]) == ("1.0", "", "400")
    assert float(found[2]["mean_iou"]) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert None not in found[0]


def test_one_row_a_class_and_a_bin() -> None:
    found = rows(files.per_class_csv(FIGURES))
    assert [(row["class"], row["objects"]) for row in found] == [("chair", "4"), ("table", "2")]
    assert all(None not in row and None not in row.values() for row in found)
    bins = rows(files.reliability_csv(FIGURES))
    together = sum(int(row["points"]) for row in bins if row["kind"] == "together")
    assert FIGURES.truth is not None
    assert together == FIGURES.truth.calibration["together"].points > 0


def test_without_truth_only_headers() -> None:
    figures = pool_figures([HALF])
    for content in (files.per_class_csv(figures), files.per_object_csv([HALF]), files.reliability_csv(figures)):
        assert content.count(b"\n") == 1

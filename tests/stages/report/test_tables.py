import math

import numpy as np

from stages.report.facts import SceneFacts
from stages.report.regions import ObjectFacts
from stages.report.tables import (
    WORST,
    Link,
    most_uncertain_objects,
    quality_tables,
    round_table,
    scene_tables,
    worst_objects,
)
from stages.summary.figures import pool_figures


def an_object(index: int, iou: float = math.nan, uncertainty: float = 0.5) -> ObjectFacts:
    return ObjectFacts("room", index, "chair", 10, uncertainty, iou)


def a_scene(name: str, iou: float, uncertainty: float) -> SceneFacts:
    return SceneFacts(name, 1000, 5, (), 0.25, uncertainty, iou, np.zeros((3, 20), np.int64))


def test_the_worst_objects_come_first_and_those_without_truth_not_at_all() -> None:
    table = worst_objects([an_object(0, 0.9), an_object(1, 0.1), an_object(2), an_object(3, 0.5)])
    assert table is not None
    assert [row[0] for row in table.rows] == [Link(f"chair #{k}", "room", k) for k in (1, 3, 0)]
    assert [row[-1] for row in table.rows] == ["0.100", "0.500", "0.900"]
    assert worst_objects([an_object(0)]) is None


def test_the_most_uncertain_objects_come_first() -> None:
    table = most_uncertain_objects([an_object(k, uncertainty=k / 100) for k in range(40)])
    assert table is not None
    assert len(table.rows) == WORST
    assert table.rows[0][3] == "0.390"
    assert most_uncertain_objects([]) is None


def test_scenes_without_truth_are_ranked_by_uncertainty_alone() -> None:
    (doubtful,) = scene_tables([a_scene("a", math.nan, 0.1), a_scene("b", math.nan, 0.4)])
    assert [row[0] for row in doubtful.rows] == [Link("b", "b"), Link("a", "a")]
    assert doubtful.rows[0][1:] == ["1,000", "0", "25.0 %", "0.400", "-"]
    worst, _ = scene_tables([a_scene("a", 0.9, 0.1), a_scene("b", 0.3, 0.0)])
    assert worst.rows[0][0] == Link("b", "b")


def test_without_truth_the_figures_say_who_decided() -> None:
    assert [table.caption for table in quality_tables(pool_figures([]))] == ["Who decided the labels"]


def test_a_first_round_has_no_drift() -> None:
    table = round_table({0: pool_figures([])}, {0: 0.25})
    assert table.rows == [["0", "-", "-", "-", "0.250", "-", "-", "-", "-"]]
    assert len(table.header) == len(table.rows[0])

import math

import numpy as np

from stages.report.facts import SceneFacts, scene_facts, scenes_to_view
from stages.report.regions import NAMELESS, objects_of, regions_of
from tests.stages.evaluation.labelled import labels_of, row_of_cubes

OWNER = np.array([0, 0, 1, -1, -1, -1, -1, -1])


def facts_of(name: str, iou: float, uncertainty: float) -> SceneFacts:
    return SceneFacts(name, 10, 2, (), 0.5, uncertainty, iou, np.zeros((3, 20), np.int64))


def test_facts_of_a_scene_count_points() -> None:
    scene, superpoint = row_of_cubes()
    labels = labels_of(scene, superpoint, OWNER, 0.75, contested=np.array([1, 0, 2, 0, 0, 0, 0, 0]))
    regions = regions_of(labels)
    facts = scene_facts("row", regions, objects_of(labels, regions, np.array([0.4, 0.8, np.nan])))
    assert facts.points == 800
    assert facts.contested_share == 0.25
    assert facts.uncertainty == 0.25
    assert math.isclose(facts.mean_iou, 0.6)
    assert facts.histogram[:, 5].tolist() == [600, 100, 100]
    assert facts.histogram.sum() == 800


def test_an_object_without_points_is_as_uncertain_as_its_box() -> None:
    scene, superpoint = row_of_cubes()
    labels = labels_of(scene, superpoint, OWNER, 0.75)
    labels.probability[2, 4] = 0.4
    labels.uncertainty[4] = 0.9
    labels.boxes.class_index[2] = -1
    last = objects_of(labels, regions_of(labels), None)[2]
    assert (last.points, last.class_name) == (0, NAMELESS)
    assert math.isclose(last.uncertainty, 0.9, rel_tol=1e-6)
    assert math.isnan(last.iou)


def test_few_scenes_are_all_shown() -> None:
    scenes = [facts_of(f"s{k}", 0.5, 0.5) for k in range(5)]
    assert scenes_to_view(scenes, 5) == [f"s{k}" for k in range(5)]


def test_of_many_scenes_the_worst_and_the_most_uncertain_are_shown_in_their_order() -> None:
    scenes = [facts_of(f"s{k:03d}", 0.9 - 0.5 * (k == 57), 0.1 + 0.5 * (k == 31)) for k in range(100)]
    chosen = scenes_to_view(scenes, 12)
    assert len(chosen) == 12
    assert chosen == sorted(chosen)
    assert {"s057", "s031", "s099"} <= set(chosen)


def test_scenes_without_figures_can_be_chosen_among() -> None:
    scenes = [facts_of(f"s{k}", math.nan, math.nan) for k in range(9)]
    assert len(scenes_to_view(scenes, 4)) == 4

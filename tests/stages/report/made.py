"""Facts of a small run, made up, for tests of the page and of what it consists of."""

from dataclasses import replace
from typing import Any

import numpy as np

from stages.report.facts import ChangedOption, History, ReviewLine, RunFacts, SceneFacts, scene_facts
from stages.report.regions import objects_of, regions_of
from stages.report.scene_view import scene_view
from tests.stages.evaluation.labelled import labels_of, row_of_cubes

OWNER = np.array([0, 0, 1, -1, 2, 2, -1, -1])


def facts_and_view(
    name: str = "row", iou: np.ndarray | None = None, class_names: tuple[str, ...] = ("chair", "table")
) -> tuple[SceneFacts, dict[str, Any]]:
    """One scene of three cubes with the classes chair, table, chair."""
    scene, superpoint = row_of_cubes()
    scene = replace(scene, scene=name, class_names=class_names)
    labels = labels_of(scene, superpoint, OWNER, 0.75, contested=np.array([0, 0, 1, 1, 2, 0, 0, 0]))
    regions = regions_of(labels)
    objects = objects_of(labels, regions, iou)
    view = scene_view(scene, labels, regions, objects, labels.boxes.instance, 1000)
    return scene_facts(name, regions, objects), view


def run_facts(*scenes: tuple[SceneFacts, dict[str, Any]], **changes: Any) -> RunFacts:
    """A finished run without evaluations, unless ``changes`` say otherwise."""
    values: dict[str, Any] = {
        "name": "mine",
        "round": 0,
        "labelled": len(scenes),
        "source": "folder",
        "scenes": [facts for facts, _ in scenes],
        "evaluations": {},
        "history": History("2026-01-31T10:00", "2026-01-31T10:05", ("abc",), {"boxgp": "0.1.0"}, {"scenes": 1}),
        "options": [ChangedOption("scenes.path", "scans", "")],
        "unfinished": [],
        "problems": [],
        "review": [ReviewLine("at random", (0, 5), (0.5, 0.6), (0.0, 0.01))],
        "predictions": "",
        "views": [view for _, view in scenes],
    }
    return RunFacts(**(values | changes))

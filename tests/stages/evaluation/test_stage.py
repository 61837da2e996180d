from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SceneError
from pipeline.stage import Result, SceneJob
from pipeline.store import commit, read_arrays
from stages.evaluation.records import from_arrays
from stages.evaluation.stage import Evaluation, EvaluationConfig
from stages.pseudo_labels.store import labels_result
from stages.stores import scene_result, superpoints_result
from stages.structures import Scene, Superpoints, Surface
from tests.stages.evaluation.labelled import labels_of, row_of_cubes

OWNER = np.array([0, 0, 1, 1, 2, -1, -1, -1])


def run(folder: Path, scene: Scene, superpoint: np.ndarray) -> Result:
    nothing = np.zeros(0, np.int32)
    count = len(superpoint)
    surface = Surface(np.zeros((count, 3), np.float32), np.zeros((2, count), np.int32), np.zeros(count, bool))
    affinity = np.zeros(0, np.float32)
    superpoints = Superpoints(superpoint, np.zeros(9, np.int64), nothing, nothing, affinity, surface, "given", {})
    results = {
        "scenes": scene_result(scene),
        "superpoints": superpoints_result(superpoints),
        "pseudo_labels": labels_result(labels_of(scene, superpoint, OWNER)),
    }
    for name, result in results.items():
        commit(folder / name, result, {"fingerprint": name})
    job = SceneJob(scene.scene, {name: folder / name for name in results})
    return Evaluation(EvaluationConfig()).run_scene(job)


def test_what_is_stored_can_be_pooled(tmp_path: Path) -> None:
    scene, superpoint = row_of_cubes()
    result = run(tmp_path, scene, superpoint)
    assert result.warnings == ()
    commit(tmp_path / "evaluation", result, {"fingerprint": "evaluation"})
    evaluation = from_arrays(*read_arrays(tmp_path / "evaluation"))
    assert evaluation.truth is not None
    assert evaluation.truth.objects.iou[0].tolist() == [1.0, 1.0, 0.5]
    assert (evaluation.points, evaluation.regions, evaluation.objects) == (800, 8, 3)


def test_boxes_that_name_no_instance_are_told(tmp_path: Path) -> None:
    scene, superpoint = row_of_cubes()
    corners = scene.boxes.corners.copy()
    corners[2] += 50
    boxes = replace(scene.boxes, corners=corners, instance=np.full(3, -1, np.int32))
    result = run(tmp_path, replace(scene, boxes=boxes), superpoint)
    unknown, found = result.warnings
    assert unknown.startswith("1 of 3 boxes have no ground-truth instance")
    assert found.startswith("2 of 3 boxes name no instance")
    assert result.attributes["instances_found_by_box_overlap"] == [0, 1]


def test_results_of_different_scans_are_refused(tmp_path: Path) -> None:
    scene, superpoint = row_of_cubes()
    longer = np.append(superpoint, superpoint[-1])
    with pytest.raises(SceneError, match="scene row: the scan has 800 points, its superpoints have 801"):
        run(tmp_path, scene, longer)

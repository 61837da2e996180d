import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.stage import Array, DatasetJob, Result, SceneJob
from pipeline.store import commit, read_arrays
from stages.evaluation.records import SceneEvaluation, to_arrays
from stages.evaluation.stage import Evaluation, EvaluationConfig
from stages.pseudo_labels.store import labels_result
from stages.summary.stage import Summary, SummaryConfig
from tests.stages.evaluation.labelled import labels_of, row_of_cubes
from tests.stages.inference.stored import store_scene
from tests.stages.summary.test_figures import HALF, LONG, MIXED, RIGHT

FILES = {"table.txt", "summary.json", "per_class.csv", "per_object.csv", "per_scene.csv", "reliability.csv"}


def store(run: Path, scene: SceneEvaluation, seconds: float) -> SceneJob:
    arrays, attributes = to_arrays(scene)
    result = Result({name: Array(values, dimensions) for name, (values, dimensions) in arrays.items()}, attributes)
    folder = run / "round_00" / "evaluation" / scene.scene
    manifest = {"fingerprint": scene.scene, "stage": "evaluation", "seconds": seconds, "peak_memory_bytes": 2**20}
    commit(folder, result, manifest)
    return SceneJob(scene.scene, {"evaluation": folder})


def dataset(folder: Path, scenes: Iterable[SceneJob]) -> DatasetJob:
    return DatasetJob(tuple(scenes), 0, folder / "work", lambda *_: None)


def table_of(job: DatasetJob) -> str:
    return Summary(SummaryConfig()).run_dataset(job).files["table.txt"].decode()


def test_the_order_of_scenes_and_their_costs_change_no_stored_byte(tmp_path: Path) -> None:
    stage = Summary(SummaryConfig())
    scenes = [RIGHT, HALF, MIXED, LONG]
    first = stage.run_dataset(dataset(tmp_path, [store(tmp_path / "one", scene, 1.0) for scene in scenes]))
    other = stage.run_dataset(dataset(tmp_path, [store(tmp_path / "other", scene, 7.0) for scene in reversed(scenes)]))
    assert first.attributes == other.attributes
    assert first.statistics == other.statistics
    assert first.files.keys() == other.files.keys() == FILES
    costs = [json.loads(result.files["summary.json"])["costs"][0]["mean_seconds"] for result in (first, other)]
    assert costs == [1.0, 7.0]
    commit(tmp_path / "summary", first, {"fingerprint": "summary"})
    assert read_arrays(tmp_path / "summary")[1] == first.attributes


def test_s3dis_metrics_are_shown_for_other_classes_than_those_of_scannet(tmp_path: Path) -> None:
    table = table_of(dataset(tmp_path, [store(tmp_path, RIGHT, 1.0)]))
    assert "mWCov" not in table
    indoor = SceneEvaluation(**(vars(RIGHT) | {"class_names": ("beam", "column")}))
    table = table_of(dataset(tmp_path, [store(tmp_path / "s3dis", indoor, 1.0)]))
    assert "mWCov" in table


def test_scenes_without_evaluation_are_told(tmp_path: Path) -> None:
    job = store(tmp_path, RIGHT, 1.0)
    for scene in (RIGHT.scene, "lost"):
        commit(tmp_path / "scenes" / scene, Result(), {"fingerprint": scene, "stage": "scenes", "seconds": 1.0})
    result = Summary(SummaryConfig()).run_dataset(dataset(tmp_path, [job]))
    assert result.warnings == ("1 scenes of this run have no evaluation: lost",)
    assert "lost" in result.files["table.txt"].decode()


def test_no_scene(tmp_path: Path) -> None:
    result = Summary(SummaryConfig()).run_dataset(dataset(tmp_path, []))
    assert result.files["table.txt"].startswith(b"0 scenes")


def labelled(run: Path, number: int, owners: Mapping[str, list[int]], truth: bool) -> DatasetJob:
    """The evaluations of one round whose labels give each scene's regions to ``owners``."""
    jobs = []
    for name, owner in owners.items():
        scene, superpoint = row_of_cubes(name=name)
        if not truth:
            scene = replace(scene, instance=None, instance_class=None)
        inputs = store_scene(run, scene, superpoint)
        result = labels_result(labels_of(scene, superpoint, np.array(owner), confidence=0.75))
        inputs["pseudo_labels"] = commit_to(run, number, "pseudo_labels", name, result)
        if number:
            inputs["evaluation"] = run / f"round_{number - 1:02d}" / "evaluation" / name
        evaluation = Evaluation(EvaluationConfig()).run_scene(SceneJob(name, inputs))
        jobs.append(SceneJob(name, {"evaluation": commit_to(run, number, "evaluation", name, evaluation)}))
    return dataset(run, jobs)


def commit_to(run: Path, number: int, stage: str, scene: str, result: Result) -> Path:
    folder = run / f"round_{number:02d}" / stage / scene
    commit(folder, result, {"fingerprint": scene, "stage": stage})
    return folder


@pytest.mark.parametrize("truth", [True, False])
def test_labels_that_collapse_raise_an_alarm(truth: bool, tmp_path: Path) -> None:
    rounds = [
        {"a": [0, 0, 1, 1, 2, 2, -1, -1], "b": [0, 0, 1, 1, 2, 2, -1, -1]},
        {"a": [0, 0, 1, -1, 2, 2, -1, -1], "b": [0, 0, 1, 1, 2, 2, -1, -1]},  # as ever
        {"a": [0, 0, 0, 0, 0, 0, -1, -1], "b": [-1] * 8},  # the first object takes all; nothing is left
    ]
    stage = Summary(SummaryConfig())
    first, usual, collapsed = (
        stage.run_dataset(labelled(tmp_path, number, owners, truth)) for number, owners in enumerate(rounds)
    )
    assert first.attributes["drift"] is None
    assert "drift between rounds" not in first.files["table.txt"].decode()
    assert first.warnings == usual.warnings == ()
    assert usual.attributes["drift"]["object_to_background"] == pytest.approx(100 / 1200)
    (alarm,) = collapsed.warnings
    assert "5 of 6 objects (83 %)" in alarm
    assert "worst in b: 3 objects; a: 2 objects" in alarm
    assert json.loads(collapsed.files["summary.json"])["warnings"] == [alarm]
    assert json.loads(collapsed.files["summary.json"])["drift"]["vanished"] == 5
    assert "5 of 6 objects" in " ".join(collapsed.files["table.txt"].decode().split())

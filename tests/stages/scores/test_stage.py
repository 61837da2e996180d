import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.errors import SceneError
from pipeline.stage import Array, DatasetJob, Result, SceneJob
from pipeline.store import read_arrays
from stages.inference.records import Predictions, to_arrays
from stages.scores.stage import Scores, ScoresConfig
from stages.structures import Scene
from tests.stages.evaluation.labelled import row_of_cubes
from tests.stages.inference.stored import store, store_scene
from tests.stages.scores.predicted import predictions_of

RIGHT = predictions_of([[0, 1], [2, 3], [4, 5]], 8, [1, 0, 1])
"""of a network that counts table before chair"""
HALF = predictions_of([[0], [2, 3]], 8, [1, 0])


def scene_job(folder: Path, name: str, split: str, predictions: Predictions, truth: bool = True) -> SceneJob:
    scene, superpoint = row_of_cubes(name=name)
    if not truth:
        scene = replace(scene, instance=None, instance_class=None)
    result = Result(
        {key: Array(values, dimensions) for key, (values, dimensions) in to_arrays(predictions).items()},
        {"scene": name, "class_names": ["table", "chair"]},
    )
    inputs = store_scene(folder, scene, superpoint)
    return SceneJob(name, inputs | {"inference": store(folder / "inference" / name, result)}, split=split)


def run(scenes: Sequence[SceneJob], told: list[tuple[int, int, str]] | None = None) -> Result:
    def report(*words: object) -> None:
        if told is not None:
            told.append(words)  # type: ignore[arg-type]

    return Scores(ScoresConfig()).run_dataset(DatasetJob(tuple(scenes), 0, Path("work"), report))


def test_figures_by_split(tmp_path: Path) -> None:
    right, half = scene_job(tmp_path, "a", "train", RIGHT), scene_job(tmp_path, "b", "val", HALF)
    scenes = [right, half, replace(right, scene="c", split="")]
    told: list[tuple[int, int, str]] = []
    result = run(scenes, told)
    assert result.warnings == ()
    assert told == [(0, 3, "a"), (1, 3, "b"), (2, 3, "c")]
    assert result.files.keys() == {"table.txt", "scores.json", "per_class.csv"}
    figures = json.loads(result.files["scores.json"])
    assert figures == result.attributes
    assert figures["class_names"] == ["chair", "table"]
    assert list(figures["splits"]) == ["train", "val", "other"]
    assert figures["splits"]["train"]["by_class"]["masks"]["ap"] == 1.0
    val = figures["splits"]["val"]
    assert (val["scenes"], val["objects"], val["proposals"]) == (1, 3, 2)
    assert val["class_agnostic"]["masks"]["ap25"] == pytest.approx(2 / 3)
    # the table is found, one of two chairs by half
    assert val["per_class"]["table"]["figures"]["masks"]["ap"] == 1.0
    assert val["per_class"]["chair"]["figures"]["masks"]["ap25"] == 0.5
    assert result.statistics == {"scenes": 3.0, "objects": 9.0}
    stored = store(tmp_path / "scores", result)
    assert read_arrays(stored)[1] == result.attributes


def test_the_order_of_scenes_does_not_matter(tmp_path: Path) -> None:
    right, half = (scene_job(tmp_path, name, "val", found) for name, found in (("a", RIGHT), ("b", HALF)))
    scenes = [right, half, replace(right, scene="c")]
    assert run(scenes).files == run(scenes[::-1]).files


def test_scenes_without_truth_are_left_out(tmp_path: Path) -> None:
    scenes = [scene_job(tmp_path, "a", "val", RIGHT), scene_job(tmp_path, "b", "val", RIGHT, truth=False)]
    result = run(scenes)
    assert result.warnings == ("no ground truth in 1 scene, which is left out: b",)
    assert result.attributes["splits"]["val"]["scenes"] == 1
    assert "left out: b" in result.files["table.txt"].decode()


def test_no_truth_at_all(tmp_path: Path) -> None:
    blind = scene_job(tmp_path, "blind", "test", RIGHT, truth=False)
    scenes = [replace(blind, scene=f"s{number}") for number in range(7)]
    result = run(scenes)
    table = result.files["table.txt"].decode()
    assert table.startswith("predictions of the network: no scene with ground truth to compare with\n")
    assert "no ground truth in 7 scenes, which are left out: s0, s1, s2, s3, s4, ..." in table
    assert result.attributes == {"class_names": [], "splits": {}}
    store(tmp_path / "scores", result)
    assert run([]).files["table.txt"].startswith(b"predictions of the network: no scene")


def test_metrics_of_s3dis_for_other_classes_than_those_of_scannet(tmp_path: Path) -> None:
    def table(job: SceneJob) -> str:
        return run([job]).files["table.txt"].decode()

    indoor = scene_job(tmp_path, "a", "val", RIGHT)
    assert "mWCov" not in table(indoor)
    scene, superpoint = row_of_cubes(name="a")
    other: Scene = replace(scene, class_names=("beam", "column"))
    assert "mWCov" in table(
        replace(indoor, inputs={**indoor.inputs, **store_scene(tmp_path / "s3dis", other, superpoint)})
    )


def test_results_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    fewer = predictions_of([[0, 1]], 7)
    with pytest.raises(SceneError, match=r"scene a: 8 regions, predictions for 7; .* --force inference"):
        run([scene_job(tmp_path, "a", "val", fewer)])


def test_only_where_a_network_is_trained() -> None:
    assert Scores.left_out({"training": SimpleNamespace(network="spformer")}) is None
    assert "training.network" in str(Scores.left_out({"training": SimpleNamespace(network=None)}))

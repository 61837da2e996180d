import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigurationError, SceneError, StoreError
from pipeline.stage import DATASET, DatasetJob, Result
from pipeline.store import read_arrays
from stages.stores import read_scene, scene_result
from stages.training.checkpoint import LAST, TrainedNetwork, read_network
from stages.training.config import TrainingConfig
from stages.training.networks.load import build_network
from stages.training.stage import Training
from tests.stages.inference.stored import store
from tests.stages.training.stored_rows import NETWORK, WITHOUT_BOXES, rows_job, stored_row

SHORT = {"network": NETWORK, "steps": 4, "validate_every": 2, "checkpoint_every": 1, "device": "cpu"}


def stage(**options: Any) -> Training:
    return Training(TrainingConfig.model_validate(SHORT | options))


@pytest.fixture
def job(tmp_path: Path) -> DatasetJob:
    return rows_job(tmp_path)


def test_what_is_stored(job: DatasetJob, tmp_path: Path) -> None:
    result = stage(options={"dropout": 0.1}).run_dataset(job)
    folder = store(tmp_path / "training", result)
    arrays, attributes = read_arrays(folder)
    columns = attributes["train_columns"]
    assert columns[0] == "loss"
    assert columns[-2:] == ["learning_rate", "gradient_norm"]
    assert arrays["train"].shape == (4, len(columns))
    assert np.isfinite(arrays["train"]).all()
    assert attributes["val_columns"] == ["AP", "AP50", "AP25"]
    assert arrays["val_step"].tolist() == [2, 4]
    assert attributes["best"]["AP"] == arrays["val"][:, 0].max()
    assert attributes["network"] == "toy_network.py:ToyNetwork"
    assert (attributes["class_names"], attributes["options"], attributes["steps"]) == (
        ["chair", "table"],
        {"dropout": 0.1},
        4,
    )
    assert result.statistics == {"scenes": 3.0, "objects": 9.0}
    assert result.warnings == ()


def test_files(job: DatasetJob, tmp_path: Path) -> None:
    folder = store(tmp_path / "training", stage().run_dataset(job))
    names = {path.name.partition(".")[0] for path in folder.iterdir()}
    assert names == {"network", "best", "metrics", "events", "data", "manifest"}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    for file, step in (("network.pt", 4), ("best.pt", None)):
        found = read_network(folder / file)
        assert step in (None, found.step)
        network = build_network(found.name, len(found.class_names), found.options, Path())
        network.load_state_dict(found.weights)


def test_repeats_to_the_bit(job: DatasetJob, tmp_path: Path) -> None:
    first = stage().run_dataset(job)
    second = stage(checkpoint_every=3).run_dataset(replace(job, workspace=tmp_path / "other"))
    assert first.files["network.pt"] == second.files["network.pt"]
    assert all((first.arrays[name].values == second.arrays[name].values).all() for name in first.arrays)
    other = stage().run_dataset(replace(job, workspace=tmp_path / "seed", seed=6))
    assert other.files["network.pt"] != first.files["network.pt"]


def test_reports(tmp_path: Path) -> None:
    reports: list[tuple[int, int, str]] = []
    stage().run_dataset(rows_job(tmp_path, lambda *report: reports.append(report)))
    assert reports[0] == (0, 1, "1 of 4 scenes read")
    assert [report[:2] for report in reports[4:]] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert "AP50" in reports[-1][2]


def loss(result: Result) -> float:
    return float(result.arrays["train"].values[0, 0])


def test_later_rounds(job: DatasetJob, tmp_path: Path) -> None:
    first = stage(steps=20, learning_rate=0.03).run_dataset(job)
    folder = store(tmp_path / "training", first)
    scenes = tuple(replace(one, inputs={**one.inputs, "training": folder}) for one in job.scenes)
    later = replace(job, scenes=scenes, workspace=tmp_path / "later")
    tuned = stage(later_steps=2).run_dataset(later)
    scratch = stage(initial="scratch").run_dataset(replace(later, workspace=tmp_path / "scratch"))
    assert [result.attributes["steps"] for result in (tuned, scratch)] == [2, 4]
    assert loss(tuned) < loss(scratch)


def test_weights_that_do_not_fit_are_told(job: DatasetJob, tmp_path: Path) -> None:
    other = TrainedNetwork("spformer", {}, ("chair",), {"weight": torch.zeros(1)}, 1)
    folder = store(tmp_path / "training", Result(files={"network.pt": other.to_bytes()}))
    scenes = tuple(replace(one, inputs={**one.inputs, "training": folder}) for one in job.scenes)
    with pytest.raises(ConfigurationError, match=r"cannot start from the weights of the round before.* set training\."):
        stage().run_dataset(replace(job, scenes=scenes))


def test_warnings(tmp_path: Path) -> None:
    scenes = (
        stored_row(tmp_path, "alone", "train", 1),
        stored_row(tmp_path, "bare", "train", **WITHOUT_BOXES),
        stored_row(tmp_path, "blind", "val", instance=None, instance_class=None),
        stored_row(tmp_path, "gone", "train", without_regions=True),
        stored_row(tmp_path, "away", "val", without_regions=True),
    )
    result = stage().run_dataset(DatasetJob(scenes, 5, tmp_path / "work", lambda *_: None))
    assert result.warnings == (
        "2 scenes away, gone left out: no point there has a region",
        "scene bare without a labelled object: nothing but background is learnt there",
        "no example of class table in the scenes for training: it cannot be learnt",
        "scene blind without ground truth: validation leaves them out",
        "no scene with ground truth in splits.val: the training is not validated",
    )
    assert result.arrays["val"].values.shape == (0, 0)
    assert "best.pt" not in result.files


def test_scenes_without_classes(tmp_path: Path) -> None:
    scene = stored_row(tmp_path, "row", "train", class_names=())
    result = stage().run_dataset(DatasetJob((scene,), 5, tmp_path / "work", lambda *_: None))
    assert result.attributes["class_names"] == ["object"]


def test_scenes_that_do_not_belong_together(tmp_path: Path) -> None:
    scenes = (stored_row(tmp_path, "a", "train"), stored_row(tmp_path, "b", "train", class_names=("bed", "desk")))
    with pytest.raises(ConfigurationError, match="scene b has the classes bed, desk, those before it chair, table"):
        stage().run_dataset(DatasetJob(scenes, 5, tmp_path / "work", lambda *_: None))


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    scenes = (stored_row(tmp_path, "a", "val"),)
    with pytest.raises(ConfigurationError, match=r"there is no scene to learn from: splits\.train"):
        stage().run_dataset(DatasetJob(scenes, 5, tmp_path / "work", lambda *_: None))


def test_what_is_not_finite_fails_and_keeps_the_checkpoint(job: DatasetJob) -> None:
    stage().run_dataset(job)
    before = (job.workspace / LAST).read_bytes()
    folder = job.scenes[1].inputs["scenes"]
    scene = read_scene(folder)
    xyz = scene.xyz.copy()
    xyz[3] = np.nan
    store(folder, scene_result(replace(scene, xyz=xyz)))
    with pytest.raises(SceneError, match="training: step 1: scene row3 has coordinates that are not finite"):
        stage(batch_size=3).run_dataset(job)
    assert (job.workspace / LAST).read_bytes() == before


def test_what_cannot_be_used_is_told(job: DatasetJob) -> None:
    stage().run_dataset(job)
    (warning,) = stage(steps=5).run_dataset(job).warnings[:1]
    assert "last.pt is not used: it was made under other settings (settings" in warning
    with pytest.raises(ConfigurationError, match="has no option 'depth'"):
        stage(options={"depth": 3}).run_dataset(job)


def test_a_full_disk_is_told(job: DatasetJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_bytes(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(StoreError, match="the disk is full"):
        stage().run_dataset(job)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"options": {"dropuot": 0.1}}, r"^training\.options: network .*has no option 'dropuot'; did you mean dropout"),
        ({"options": {"dropout": "much"}}, r"^training\.options: option 'dropout' .*'much' given; expected float"),
        ({"network": Path("/nowhere/net.py:Net")}, r"^training\.network: network file /nowhere/net\.py does not exist"),
    ],
)
def test_a_network_that_cannot_be_built_is_told_before_a_run(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        stage(**section).check()


def test_a_network_that_can_be_built_passes() -> None:
    stage(options={"dropout": 0.1}).check()
    Training(TrainingConfig()).check()


def test_left_out_without_a_network() -> None:
    sections = {"training": TrainingConfig()}
    assert Training.left_out(sections) == "no network is trained; set training.network"
    assert Training.left_out({"training": TrainingConfig(network="spformer")}) is None


def test_the_file_of_a_network_counts() -> None:
    assert stage(network="./net.py:Net").files(DATASET) == (Path("net.py"),)
    assert stage(network="spformer").files(DATASET) == ()

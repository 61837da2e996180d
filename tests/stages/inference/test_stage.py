import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigurationError, SceneError, StoreError
from pipeline.stage import Result, SceneJob
from pipeline.store import read_arrays
from stages.inference.config import InferenceConfig
from stages.inference.records import from_arrays
from stages.inference.stage import Inference
from stages.training import checkpoint
from tests.stages.evaluation.labelled import row_of_cubes
from tests.stages.inference.stored import store, store_network, store_scene

SCENE, SUPERPOINT = row_of_cubes()
MASKS = [[pair == region // 2 for region in range(8)] for pair in range(4)]


@pytest.fixture
def job(tmp_path: Path) -> SceneJob:
    inputs = store_scene(tmp_path, SCENE, SUPERPOINT)
    return SceneJob(SCENE.scene, inputs | {"training": store_network(tmp_path)}, seed=7)


def run(job: SceneJob, **options: object) -> Result:
    return Inference(InferenceConfig.model_validate({"device": "cpu"} | options)).run_scene(job)


def test_what_is_stored_reads_back(job: SceneJob, tmp_path: Path) -> None:
    result = run(job)
    arrays, attributes = read_arrays(store(tmp_path / "inference", result))
    predictions = from_arrays(arrays)
    assert predictions.mask.tolist() == MASKS
    assert predictions.class_index.tolist() == [1] * 4
    assert predictions.region_feature.shape == (8, 5)
    assert attributes == {"scene": "row", "class_names": ["chair", "table"]}
    assert result.statistics == {"proposals": 4.0}
    assert result.warnings == ()


def test_points_without_a_region_change_no_region(job: SceneJob, tmp_path: Path) -> None:
    xyz, superpoint = SCENE.xyz.copy(), SUPERPOINT.copy()
    xyz[:50], superpoint[:50] = np.nan, -1
    holed = store_scene(tmp_path / "holed", replace(SCENE, xyz=xyz), superpoint)
    predictions = run(replace(job, inputs={**job.inputs, **holed})).arrays
    assert predictions["mask"].values.tolist() == MASKS


def test_options_of_the_network_are_those_of_its_training(job: SceneJob, tmp_path: Path) -> None:
    training = store_network(tmp_path / "sure", options={"sureness": 4.0})
    surer = run(replace(job, inputs={**job.inputs, "training": training})).arrays["mean"].values
    assert surer.max() == pytest.approx(1 / (1 + np.exp(-4.0)))
    assert run(job).arrays["mean"].values.max() == pytest.approx(1 / (1 + np.exp(-2.0)))


def test_the_seed_of_the_job_decides(job: SceneJob) -> None:
    first, again, other = (run(one).arrays["region_feature"].values for one in (job, job, replace(job, seed=8)))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_network_is_loaded_once_until_it_changes(
    job: SceneJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    read = checkpoint.read_network

    def counted(path: Path) -> checkpoint.TrainedNetwork:
        loaded.append(path)
        return read(path)

    monkeypatch.setattr(checkpoint, "read_network", counted)
    before = [run(job) for _ in range(2)]
    assert len(loaded) == 1
    path = store_network(tmp_path, weight=0.5) / "network.pt"
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))
    after = [run(job) for _ in range(2)]
    assert len(loaded) == 2
    assert before[0].arrays["score"].values[0] > after[0].arrays["score"].values[0]


def test_only_so_many_objects_are_kept(job: SceneJob) -> None:
    assert run(job, most_proposals=1).arrays["mask"].values.tolist() == MASKS[:1]


def test_nothing_found_is_told(job: SceneJob, tmp_path: Path) -> None:
    training = store_network(tmp_path / "blind", options={"sureness": 0.0})
    result = run(replace(job, inputs={**job.inputs, "training": training}))
    assert result.warnings == ("the network finds no object",)
    assert result.arrays["mask"].values.shape == (0, 8)


def test_a_network_that_gives_no_numbers_fails_the_scene(job: SceneJob, tmp_path: Path) -> None:
    training = store_network(tmp_path / "diverged", weight=float("nan"))
    with pytest.raises(SceneError, match="scene row: the network's scores are not finite"):
        run(replace(job, inputs={**job.inputs, "training": training}))


def test_torn_and_missing_files_are_told(job: SceneJob, tmp_path: Path) -> None:
    path = job.inputs["training"] / "network.pt"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"network.pt.* --force training"):
        run(job)
    path.unlink()
    with pytest.raises(StoreError, match=r"network.pt.*No such file.*--force training"):
        run(job)


def test_changed_code_of_a_network_is_told(job: SceneJob, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(file.read_text().replace("self.weight = ", "self.weights = self.weight = "))
    with pytest.raises(StoreError, match=r"does not fit the code of network .*net.py:Pairs: .*weights"):
        run(job)
    file.unlink()
    with pytest.raises(StoreError, match=r"net.py does not exist.*--force training"):
        run(replace(job, inputs={**job.inputs, "training": store(tmp_path / "again", _copy(job))}))


def _copy(job: SceneJob) -> Result:
    return Result(files={"network.pt": (job.inputs["training"] / "network.pt").read_bytes()})


def test_only_where_a_network_is_trained() -> None:
    assert Inference.left_out({"training": SimpleNamespace(network="spformer")}) is None
    reason = Inference.left_out({"training": SimpleNamespace(network=None)})
    assert reason == "no network is trained; set training.network"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(job: SceneJob) -> None:
    with pytest.raises(
        ConfigurationError, match=r"inference: 1 GPU wanted, 0 found .* set inference\.device to auto or cpu"
    ):
        run(job, device="cuda")
    assert len(run(job, device="auto").arrays["mask"].values) == 4

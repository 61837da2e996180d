"""The posteriors stage from stored inputs to its stored result."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigurationError, SceneError
from pipeline.stage import Result, SceneJob
from pipeline.store import commit
from stages.features.handcrafted import region_features
from stages.posteriors.config import PosteriorsConfig
from stages.posteriors.stage import Posteriors
from stages.stores import features_result, read_posteriors, scene_result, superpoints_result
from stages.structures import LabelSource, Scene
from stages.superpoints.partition import partition_scene
from tests.stages.scenery import PARAMETERS, two_objects


def job_of(scene: Scene, folder: Path) -> SceneJob:
    superpoints = partition_scene(scene, "points", PARAMETERS)
    features = region_features(
        scene.xyz, scene.rgb, None, superpoints.superpoint, len(superpoints), ("position", "color"), 1.0
    )
    results = {
        "scenes": scene_result(scene),
        "superpoints": superpoints_result(superpoints),
        "features": features_result(features),
    }
    for name, result in results.items():
        commit(folder / name, result, {"fingerprint": name})
    return SceneJob(scene.scene, {name: folder / name for name in results})


def run(job: SceneJob, **options: Any) -> Result:
    ((_, result),) = Posteriors(PosteriorsConfig(**options)).run([job])
    if isinstance(result, Exception):
        raise result
    return result


ENGINES = ["graph", "laplace", "variational", "regression", "linear", "smallest_box", "truth"]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_and_rule_is_stored_and_read_back(engine: str, tmp_path: Path) -> None:
    result = run(job_of(two_objects(points=1500), tmp_path), engine=engine)
    commit(tmp_path / "posteriors", result, {"fingerprint": engine})
    posteriors = read_posteriors(tmp_path / "posteriors")
    assert posteriors.engine == engine
    assert posteriors.indptr[-1] == len(posteriors.region) == len(posteriors.probability)
    if engine == "graph":
        assert posteriors.joint_mean is not None
        np.testing.assert_allclose(posteriors.joint_mean.sum(axis=0), 1, rtol=1e-5)
        assert result.statistics["fits"] == 1
    elif engine in {"smallest_box", "truth"}:
        assert len(posteriors.pair) == 0
        assert (posteriors.owner >= 0).all()
    else:
        assert posteriors.fitted.any()
        assert (posteriors.source[posteriors.owner < 0] == LabelSource.GP).all()
        assert result.warnings == ()
    np.testing.assert_allclose(posteriors.prior.sum(axis=0), 1, rtol=1e-5)


def test_a_pair_without_determined_regions_is_no_warning(tmp_path: Path) -> None:
    scene = two_objects(points=1500)
    same = replace(scene.boxes, corners=np.repeat(scene.boxes.corners[:1], 2, axis=0))
    result = run(job_of(replace(scene, boxes=same), tmp_path), engine="laplace", evidence=[])
    assert result.statistics["pairs"] == 1
    assert result.statistics["fits"] == 0
    assert result.warnings == ()


def test_what_a_scan_lacks_is_said_with_its_name(tmp_path: Path) -> None:
    job = job_of(replace(two_objects(points=1500), instance=None), tmp_path)
    with pytest.raises(SceneError, match=r"two_objects.*no ground-truth instances.*posteriors\.engine"):
        run(job, engine="truth")


@pytest.mark.parametrize("engine", ["graph", "laplace", "smallest_box"])
def test_scenes_that_share_an_accelerator_give_what_each_gives_alone(engine: str, tmp_path: Path) -> None:
    scenes = [replace(two_objects(seed=seed, points=1500), scene=f"scene{seed}") for seed in (0, 1)]
    jobs = [job_of(scene, tmp_path / scene.scene) for scene in scenes]
    jobs.insert(1, SceneJob("lost", dict.fromkeys(("scenes", "superpoints", "features"), tmp_path / "nowhere")))
    config = PosteriorsConfig(engine=engine)
    alone = dict(Posteriors(config).run(jobs))
    together = dict(Posteriors(config.model_copy(update={"device": "cpu:0"})).run(jobs))
    assert isinstance(together.pop("lost"), Exception)
    assert sorted(together) == ["scene0", "scene1"]
    for scene, result in together.items():
        assert isinstance(result, Result)
        expected = alone[scene]
        assert isinstance(expected, Result)
        for name, array in result.arrays.items():
            np.testing.assert_allclose(array.values, expected.arrays[name].values, atol=1e-6)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_missing_gpu_is_said(tmp_path: Path) -> None:
    stage = Posteriors(PosteriorsConfig(device="cuda"))
    with pytest.raises(ConfigurationError, match=r"posteriors\.device is cuda.*no GPU"):
        list(stage.run([job_of(two_objects(points=1500), tmp_path)]))

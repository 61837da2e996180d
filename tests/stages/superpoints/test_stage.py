"""The superpoints stage: which method a scan gets, and what is said where it cannot have it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import ConfigurationError, SceneError
from pipeline.stage import Result, SceneJob
from pipeline.store import commit
from stages.stores import scene_result
from stages.structures import Scene
from stages.superpoints.config import SuperpointsConfig
from stages.superpoints.stage import Superpoints
from tests.stages.scenery import two_objects


def run(scene: Scene, folder: Path, **options: Any) -> Result:
    commit(folder / "scenes", scene_result(scene), {"fingerprint": "scene"})
    job = SceneJob(scene.scene, {"scenes": folder / "scenes"})
    ((_, result),) = Superpoints(SuperpointsConfig(**options)).run([job])
    if isinstance(result, Exception):
        raise result
    return result


def with_partition(scene: Scene) -> Scene:
    return replace(scene, given_superpoint=(np.arange(len(scene)) % 9).astype(np.int32))


def with_faces(scene: Scene) -> Scene:
    return replace(scene, faces=np.array([[0, 1, 2], [1, 2, 3]], np.int32))


@pytest.mark.parametrize(
    ("scene", "method"),
    [
        (two_objects(points=800), "points"),
        (with_faces(two_objects(points=800)), "mesh"),
        (with_partition(with_faces(two_objects(points=800))), "given"),
    ],
)
def test_auto_takes_the_best_that_the_scan_brings(scene: Scene, method: str, tmp_path: Path) -> None:
    result = run(scene, tmp_path)
    assert result.attributes["method"] == method
    assert result.attributes["parameters"].get("split_by_boxes", False) == (method == "points")
    assert result.statistics["regions"] == len(np.unique(result.arrays["superpoint"].values))


def test_a_method_that_the_scan_cannot_have_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"two_objects: the scan has no faces.*superpoints\.method mesh"):
        run(two_objects(points=800), tmp_path, method="mesh")


def test_partitions_from_files(tmp_path: Path) -> None:
    scene = two_objects(points=800)
    np.save(tmp_path / "two_objects.npy", np.arange(len(scene)) // 10 * 3)
    result = run(scene, tmp_path, method="file", path=tmp_path)
    assert (result.arrays["superpoint"].values == np.arange(len(scene)) // 10).all()
    stage = Superpoints(SuperpointsConfig(method="file", path=tmp_path))
    assert stage.files("two_objects") == (tmp_path / "two_objects.npy",)
    assert stage.files("another") == ()
    assert Superpoints(SuperpointsConfig(path=tmp_path)).files("two_objects") == ()
    with pytest.raises(ConfigurationError, match=r"superpoints\.path"):
        run(scene, tmp_path, method="file")

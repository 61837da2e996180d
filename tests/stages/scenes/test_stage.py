"""The stage: its configuration, its results, and failures that stay with their scene."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import InputError, SceneError
from pipeline.stage import Result, SceneJob
from stages.scenes.config import FolderConfig, ScannetConfig
from stages.scenes.scan import ScanError
from stages.scenes.stage import Scenes


def _save(folder: Path, scene: str, **arrays: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    instance = np.repeat([0, 1], 40)
    known = {"xyz": rng.normal(size=(80, 3)), "instance": instance, "semantic": instance + 5}
    np.savez(folder / f"{scene}.npz", **(known | arrays))  # type: ignore[arg-type]


def _run(folder: Path, seed: int = 0, **options: Any) -> dict[str, Result | Exception]:
    stage = Scenes(FolderConfig(path=folder, **options))
    return dict(stage.run([SceneJob(source.scene, {}, source.files, seed) for source in stage.discover()]))


def test_the_source_decides_which_options_there_are() -> None:
    adapter = TypeAdapter(Scenes.Config)
    assert isinstance(adapter.validate_python({"source": "scannet", "path": "raw"}), ScannetConfig)
    assert adapter.validate_python({"source": "rooms"}).class_names[0] == "cabinet"
    for wrong in (
        {"source": "nowhere"},
        {"source": "folder"},
        {"source": "scannet", "path": "raw", "box_key": "boxes"},
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_a_result_is_what_the_store_expects(tmp_path: Path) -> None:
    _save(tmp_path, "room")
    result = _run(tmp_path)["room"]
    assert isinstance(result, Result)
    assert result.statistics == {"points": 80, "points_not_finite": 0, "boxes": 2, "instances": 2}
    assert [warning.partition(": ")[2] for warning in result.warnings] == [
        "no normals; they are fitted to neighbouring points",
        "no colour; regions and features go by position and normals alone",
    ]
    assert result.attributes["frame"] == "input"
    shapes = {name: (array.values.dtype.name, array.values.shape) for name, array in result.arrays.items()}
    assert shapes == {
        "xyz": ("float32", (80, 3)),
        "instance": ("int32", (80,)),
        "semantic": ("int32", (80,)),
        "instance_class": ("int32", (2,)),
        "offset": ("float64", (3,)),
        "box": ("float32", (2, 6)),
        "box_class": ("int32", (2,)),
        "box_instance": ("int32", (2,)),
    }


def test_results_know_no_path(tmp_path: Path) -> None:
    arrays = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        _save(tmp_path / name, "room")
        result = _run(tmp_path / name, noise={"corner": 0.1})["room"]
        assert isinstance(result, Result)
        assert str(tmp_path) not in str(result.attributes)
        arrays.append({key: array.values.tobytes() for key, array in result.arrays.items()})
    assert arrays[0] == arrays[1]


def test_noise_follows_the_seed_of_the_job(tmp_path: Path) -> None:
    _save(tmp_path, "room")

    def boxes(seed: int, **noise: float) -> np.ndarray:
        result = _run(tmp_path, seed, noise=noise)["room"]
        assert isinstance(result, Result)
        return result.arrays["box"].values

    assert np.array_equal(boxes(1, corner=0.1), boxes(1, corner=0.1))
    assert not np.array_equal(boxes(1, corner=0.1), boxes(2, corner=0.1))
    assert np.array_equal(boxes(1), boxes(2))


def test_bad_scenes_fail_and_the_others_go_on(tmp_path: Path) -> None:
    _save(tmp_path, "a_good")
    (tmp_path / "b_broken.npz").write_bytes(b"nothing")
    _save(tmp_path, "c_wrong", rgb=np.zeros((3, 3), np.uint8), boxes=np.array([[1.0, 1, 1, 0, 0, 0]]))
    _save(tmp_path, "d_good")
    results = _run(tmp_path)
    assert list(results) == ["a_good", "b_broken", "c_wrong", "d_good"]
    assert isinstance(results["a_good"], Result)
    assert isinstance(results["b_broken"], SceneError)
    assert isinstance(results["c_wrong"], SceneError)
    assert "c_wrong.npz: key 'rgb'" in str(results["c_wrong"])
    assert "and 1 more errors" in str(results["c_wrong"])
    assert isinstance(results["d_good"], Result)


def test_nothing_to_discover(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Scenes(FolderConfig(path=tmp_path)).discover()


def test_errors_survive_the_way_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(ScanError("what", "remedy")))
    assert str(error) == "what; remedy"
    assert error.finding.remedy == "remedy"


def test_the_stage_is_cheap_to_import() -> None:
    heavy = "{'torch', 'scipy', 'zarr', 'numba', 'open3d', 'gpytorch'}"
    code = f"import sys, stages.scenes.stage; sys.exit(', '.join({heavy} & set(sys.modules)))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.stderr.strip() == ""

"""Runs and releases as data sets of torch."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from boxgp import LabelledBatch, LabelledScan, LabelledScenes, PseudoLabels, collate
from pipeline.errors import InputError, SceneError
from pipeline.results import RunResults
from pipeline.store import commit
from stages.pseudo_labels.store import labels_result
from stages.scenes.rooms_config import RoomsConfig
from stages.stores import read_scene, read_superpoints
from stages.structures import LabelSource
from stages.training.scenes import training_scene
from tests.stages.export.labelled import label, stored, with_empty_object, with_ignored, with_nan

ROOMS = ("room_0000", "room_0001", "room_0002")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rooms, the second one with a split of its own."""
    folder = tmp_path_factory.mktemp("run")
    for scene in ROOMS:
        label(RoomsConfig(count=len(ROOMS), points=1500), folder, scene)
    (folder / "config.yaml").write_text(f"splits: {{train: [], val: [{ROOMS[1]}], test: []}}\n")
    return folder


@pytest.fixture
def release(run: Path, tmp_path: Path) -> Path:
    """The same labels without points, as a release holds them."""
    folder = tmp_path / "release"
    (folder / "labels").mkdir(parents=True)
    for scene in ROOMS:
        store = RunResults(run, 0).of("pseudo_labels", scene) / "data.zarr.zip"
        shutil.copy(store, folder / "labels" / f"{scene}.zarr.zip")
    rows = "".join(f"{scene},{'val' if scene == ROOMS[1] else ''}\n" for scene in ROOMS)
    (folder / "scenes.csv").write_text(f"scene,split\n{rows}")
    return folder


def save_scans(run: Path, folder: Path) -> Path:
    """The scans as a user has them."""
    folder.mkdir()
    for name in ROOMS:
        scene = read_scene(RunResults(run, 0).of("scenes", name))
        assert scene.rgb is not None
        np.savez(folder / f"{name}.npz", xyz=scene.xyz, rgb=scene.rgb)
    return folder


def assert_same(one: LabelledScan, other: LabelledScan) -> None:
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, torch.Tensor):
            assert mine.dtype == theirs.dtype
            torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
        else:
            assert mine == theirs


def test_an_item_holds_what_training_learns_from(run: Path) -> None:
    data, results = LabelledScenes(run), RunResults(run, 0)
    assert data.scenes == ROOMS
    assert len(data) == len(ROOMS)
    for item, name in zip(data, ROOMS, strict=True):
        labels = PseudoLabels.open(results.of("pseudo_labels", name))
        superpoint = read_superpoints(results.of("superpoints", name)).superpoint
        trained = training_scene(read_scene(results.of("scenes", name)), superpoint, labels)
        assert item.scene == name
        assert item.xyz is not None
        assert trained.labels is not None
        for field in ("xyz", "color", "superpoint"):
            torch.testing.assert_close(getattr(item, field), getattr(trained, field), rtol=0, atol=0)
        for field in ("mask", "mean", "variance", "determined", "ignore", "class_index"):
            torch.testing.assert_close(getattr(item, field), getattr(trained.labels, field), rtol=0, atol=0)
        rows = item.row.numpy()
        np.testing.assert_array_equal(item.probability, labels.probability[rows])
        np.testing.assert_array_equal(item.uncertainty, labels.uncertainty)
        np.testing.assert_array_equal(item.determined, labels.source != LabelSource.GP)
        np.testing.assert_array_equal(item.mask[:, item.superpoint], labels.at_points("mask")[rows])
        assert item.class_names == labels.class_names


def test_points_and_objects_without_a_region_are_left_out(run: Path, tmp_path: Path) -> None:
    odd = with_empty_object(with_ignored(with_nan(stored(run, ROOMS[0]))))
    folder, results = tmp_path / "odd", RunResults(tmp_path / "odd", 0)
    shutil.copytree(run, folder)
    shutil.rmtree(results.of("pseudo_labels", ROOMS[0]))
    shutil.rmtree(results.of("scenes", ROOMS[0]))
    commit(results.of("pseudo_labels", ROOMS[0]), labels_result(odd.labels), {"fingerprint": "pseudo_labels"})
    save = {name: getattr(odd.scene, name) for name in ("xyz", "rgb")}
    scans = save_scans(run, tmp_path / "scans")
    np.savez(scans / f"{ROOMS[0]}.npz", **save)
    item = LabelledScenes(folder, scans=scans)[0]
    assert item.xyz is not None
    np.testing.assert_array_equal(item.point, odd.kept)
    np.testing.assert_array_equal(item.xyz, odd.scene.xyz[odd.kept])
    assert 1 not in item.row.tolist()
    assert bool(item.mask.any(dim=1).all())
    np.testing.assert_array_equal(item.ignore, odd.labels.ignore)
    assert not bool(item.mask[:, item.ignore].any())


def test_splits_are_those_of_training(run: Path, release: Path) -> None:
    for folder in (run, release):
        assert LabelledScenes(folder, split="val").scenes == (ROOMS[1],)
        assert LabelledScenes(folder, split="train").scenes == (ROOMS[0], ROOMS[2])
        with pytest.raises(InputError, match="is in split test; leave `split` out for all scenes"):
            LabelledScenes(folder, split="test")
        with pytest.raises(InputError, match="there is no split 'training'; there are train, val, test"):
            LabelledScenes(folder, split="training")


def test_a_release_has_points_where_scans_are_named(run: Path, release: Path, tmp_path: Path) -> None:
    bare = LabelledScenes(release)[0]
    assert bare.xyz is None
    assert bare.color is None
    scans = save_scans(run, tmp_path / "scans")
    assert_same(LabelledScenes(release, scans=scans)[0], LabelledScenes(run)[0])
    scans.rename(release / "scans")
    assert_same(LabelledScenes(release)[1], LabelledScenes(run)[1])


def test_scans_that_are_not_the_labelled_ones_are_refused(run: Path, release: Path, tmp_path: Path) -> None:
    scans = save_scans(run, tmp_path / "scans")
    np.savez(scans / f"{ROOMS[0]}.npz", xyz=np.zeros((7, 3), np.float32))
    with pytest.raises(SceneError, match=rf"{ROOMS[0]}\.npz has 7 points, the labels of scene {ROOMS[0]} are of 1500"):
        LabelledScenes(release, scans=scans)[0]
    (scans / f"{ROOMS[2]}.npz").unlink()
    with pytest.raises(InputError, match=rf"`scans` has no file of scene {ROOMS[2]}"):
        LabelledScenes(release, scans=scans)
    with pytest.raises(InputError, match="the folder of scans, does not exist"):
        LabelledScenes(release, scans=tmp_path / "nowhere")


def test_what_is_no_run_is_refused(run: Path, release: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder of a run: it has no config"):
        LabelledScenes(tmp_path)
    with pytest.raises(InputError, match="has no labels of round 3; there are those of round 0"):
        LabelledScenes(run, round=3)
    with pytest.raises(InputError, match="is a release, which holds one round"):
        LabelledScenes(release, round=0)
    (tmp_path / "empty" / "labels").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no labels"):
        LabelledScenes(tmp_path / "empty")


def test_labels_of_another_version_of_the_scene_are_refused(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    place = RunResults(tmp_path / "run", 0).of("pseudo_labels", ROOMS[0])
    labels = PseudoLabels.open(place)
    shutil.rmtree(place)
    commit(place, labels_result(labels), {"fingerprint": "labels", "inputs": {"scenes": "before"}})
    with pytest.raises(SceneError, match="its labels were made before scenes was computed anew"):
        LabelledScenes(tmp_path / "run")[0]


def test_batches_number_regions_over_all_scans(run: Path) -> None:
    data = LabelledScenes(run)
    batch = collate([data[0], data[2]])
    assert isinstance(batch, LabelledBatch)
    first, second = batch.scans
    assert batch.bounds == (0, len(first.ignore), len(first.ignore) + len(second.ignore))
    assert batch.xyz is not None
    assert batch.xyz.shape == (3000, 3)
    torch.testing.assert_close(batch.superpoint[:1500], first.superpoint)
    torch.testing.assert_close(batch.superpoint[1500:], second.superpoint + batch.bounds[1])
    assert batch.scan_of_point.tolist() == [0] * 1500 + [1] * 1500
    moved = batch.to("meta")
    assert moved.superpoint.device.type == "meta"
    assert moved.scans[0].mask.device.type == "meta"
    assert moved.scans[0].class_names == first.class_names


def test_batches_without_points_say_so(run: Path, release: Path) -> None:
    batch = collate([LabelledScenes(run)[0], LabelledScenes(release)[1]])
    assert batch.xyz is None
    assert batch.color is None
    assert len(batch.superpoint) == 3000


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_data_loaders_work(run: Path, workers: int) -> None:
    data = LabelledScenes(run)
    loader = DataLoader(data, batch_size=2, num_workers=workers, collate_fn=collate)
    found = [scan for batch in loader for scan in batch.scans]
    for scan, expected in zip(found, data, strict=True):
        assert_same(scan, expected)


def test_a_data_set_pickles_without_its_arrays(run: Path) -> None:
    content = pickle.dumps(LabelledScenes(run))
    assert len(content) < 10_000
    assert_same(pickle.loads(content)[1], LabelledScenes(run)[1])


def test_a_scan_without_colours_or_classes(run: Path, tmp_path: Path) -> None:
    scans = save_scans(run, tmp_path / "scans")
    scene = read_scene(RunResults(run, 0).of("scenes", ROOMS[0]))
    np.savez(scans / f"{ROOMS[0]}.npz", xyz=scene.xyz)
    item = LabelledScenes(run, scans=scans)[0]
    assert item.color is None
    assert item.xyz is not None


def test_far_coordinates_keep_their_precision(run: Path, tmp_path: Path) -> None:
    scans = save_scans(run, tmp_path / "scans")
    scene = read_scene(RunResults(run, 0).of("scenes", ROOMS[0]))
    np.savez(scans / f"{ROOMS[0]}.npz", xyz=scene.xyz.astype(np.float64) + np.array([500_000, 5_000_000, 0]))
    item = LabelledScenes(run, scans=scans)[0]
    assert item.xyz is not None
    spread = item.xyz - item.xyz[0]
    np.testing.assert_allclose(spread, scene.xyz - scene.xyz[0], atol=1e-5)

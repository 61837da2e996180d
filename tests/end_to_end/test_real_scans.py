"""The whole command on real scans: the quality of its labels, and what must not change them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boxgp import PseudoLabels
from tests.end_to_end.command import STAGES, checksums, completed

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

MOVED = ("scene0000_00", "scene0002_00", "scene0005_00")
"""three scans of different rooms"""
LARGEST_SHARE = 0.001
"""of the points that may change their label when a scan is moved, turned or reordered"""


def label_quality(run: Path, which: str = "labels") -> dict[str, Any]:
    """Quality of the pseudo-labels, or of the smallest box, over all annotated objects of a run."""
    figures = json.loads((run / "round_00" / "summary" / "summary.json").read_text())
    quality: dict[str, Any] = figures["truth"][which]["quality"]
    return quality


def masks(run: Path, scene: str) -> np.ndarray:
    """The mask of each object at each point, bool [K,N]."""
    return PseudoLabels.open(run / "round_00" / "pseudo_labels" / scene).at_points()


def owner(run: Path, scene: str) -> np.ndarray:
    """The object of each point, -1 for none, int [N]."""
    found = masks(run, scene)
    return np.where(found.any(axis=0), found.argmax(axis=0), -1)


def changed_share(one: np.ndarray, other: np.ndarray) -> float:
    """The share of points whose label differs."""
    return float(np.mean(one != other))


# Quality


@pytest.fixture(scope="module")
def twelve(real_scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the defaults on the twelve scans that have neither mesh nor superpoints."""
    scenes = sorted(file.stem for file in real_scans.glob("scene*.npz") if not file.stem.endswith("_full"))
    assert len(scenes) == 12
    folder = tmp_path_factory.mktemp("twelve")
    source = f"scenes.path={real_scans}"
    completed(
        *("run", "folder", "--set", source, "--scenes", ",".join(scenes), "--workers", "2", "--output", "out"),
        cwd=folder,
    )
    return folder / "out"


def test_labels_of_scans_without_mesh(twelve: Path) -> None:
    labels, smallest_box = label_quality(twelve), label_quality(twelve, "smallest_box")
    assert labels["objects"] == 222
    assert labels["ap"] >= 0.68
    assert labels["ap"] > smallest_box["ap"] + 0.08


@pytest.mark.parametrize("kind", ["overlap", "background"])
def test_probabilities_mean_what_they_say(kind: str, twelve: Path) -> None:
    figures = json.loads((twelve / "round_00" / "summary" / "summary.json").read_text())["truth"]
    found, constant = figures["calibration"][kind], figures["base_rate"][kind]
    assert found["ece"] <= 0.05
    assert found["brier"] < constant["brier"]
    assert found["auroc"] > 0.65


@pytest.mark.parametrize(
    ("options", "least"),
    [
        (["scenes.box_key=full_boxes"], 0.65),
        (["scenes.noise.scale=0.05", "scenes.noise.shift=0.05"], 0.57),
        (["posteriors.faces=plain"], 0.65),
    ],
    ids=["full", "noisy", "without seeds"],
)
def test_labels_of_inexact_boxes(options: list[str], least: float, real_scans: Path, tmp_path: Path) -> None:
    settings = [word for option in (f"scenes.path={real_scans}", *options) for word in ("--set", option)]
    scenes = sorted(file.stem for file in real_scans.glob("scene*.npz") if not file.stem.endswith("_full"))
    line = ("run", "folder", *settings, "--scenes", ",".join(scenes), "--workers", "2", "--output", "out")
    completed(*line, cwd=tmp_path)
    labels, smallest_box = label_quality(tmp_path / "out"), label_quality(tmp_path / "out", "smallest_box")
    assert labels["ap"] >= least
    assert labels["ap"] > smallest_box["ap"] + 0.05


@pytest.mark.parametrize(("method", "least"), [("given", 0.90), ("mesh", 0.78)])
def test_labels_of_a_mesh(method: str, least: float, real_scans: Path, tmp_path: Path) -> None:
    settings = ("--set", f"scenes.path={real_scans}", "--set", f"superpoints.method={method}")
    completed("run", "folder", *settings, "--scenes", "scene0000_00_full", "--output", "out", cwd=tmp_path)
    assert label_quality(tmp_path / "out")["ap"] >= least


def test_labels_under_the_published_settings(real_scans: Path, tmp_path: Path) -> None:
    line = ("run", "paper", "--set", f"scenes.path={real_scans}", "--scenes", "scene0000_00_full", "--output", "out")
    completed(*line, cwd=tmp_path)
    assert label_quality(tmp_path / "out")["objects"] == 27
    assert label_quality(tmp_path / "out")["ap"] >= 0.88


def test_laser_scans_without_color_and_classes(real_scans: Path, tmp_path: Path) -> None:
    line = ("run", "folder", "--set", f"scenes.path={real_scans}", "--scenes", "laser_office1,laser_office2")
    completed(*line, "--workers", "2", "--output", "out", cwd=tmp_path)
    for scene, shape in {"laser_office1": (44, 237_907), "laser_office2": (13, 123_692)}.items():
        found = masks(tmp_path / "out", scene)
        assert found.shape == shape
        assert found.any(axis=1).mean() > 0.9


def test_a_raw_scan_of_scannet(real_raw: Path, tmp_path: Path) -> None:
    completed("run", "scannetv2", "--set", f"scenes.path={real_raw}", "--output", "out", cwd=tmp_path)
    labels, smallest_box = label_quality(tmp_path / "out"), label_quality(tmp_path / "out", "smallest_box")
    assert labels["objects"] == 25
    assert labels["ap"] > smallest_box["ap"]
    assert masks(tmp_path / "out", "scene0000_00").shape == (25, 81_369)


# Invariances


@pytest.fixture(scope="module")
def variants(real_scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on moved, turned and shuffled copies of three scans, and on one scan with its boxes in two orders."""
    folder = tmp_path_factory.mktemp("variants")
    (folder / "scans").mkdir()
    for scene in MOVED:
        with np.load(real_scans / f"{scene}.npz") as file:
            scan = {key: file[key] for key in ("xyz", "rgb", "instance", "semantic")}
            boxes, instance = file["full_boxes"], file["full_box_instance"]
        copies = {
            "moved": scan | {"xyz": scan["xyz"] + np.array([12.345, -7.89, 3.21], np.float32)},
            "turned": scan | {"xyz": scan["xyz"][:, [1, 0, 2]] * np.array([-1, 1, 1], np.float32)},
            "shuffled": {key: values[shuffle(len(values))] for key, values in scan.items()},
        }
        if scene == MOVED[0]:
            order = shuffle(len(boxes))
            copies["boxes"] = scan | {"boxes": boxes, "box_instance": instance}
            copies["boxes_shuffled"] = scan | {"boxes": boxes[order], "box_instance": instance[order]}
        for name, arrays in copies.items():
            np.savez(folder / "scans" / f"{scene}.{name}.npz", **arrays)
    completed("run", "folder", "--set", "scenes.path=scans", "--workers", "2", "--output", "out", cwd=folder)
    return folder / "out"


def shuffle(length: int) -> np.ndarray:
    """A permutation that a length always gets."""
    return np.random.default_rng(length).permutation(length)


@pytest.mark.parametrize("scene", MOVED)
@pytest.mark.parametrize("copy", ["moved", "turned"])
def test_labels_follow_the_scan(copy: str, scene: str, twelve: Path, variants: Path) -> None:
    assert changed_share(owner(variants, f"{scene}.{copy}"), owner(twelve, scene)) <= LARGEST_SHARE


@pytest.mark.parametrize("scene", MOVED)
def test_labels_follow_the_points(scene: str, twelve: Path, variants: Path) -> None:
    before = owner(twelve, scene)
    assert changed_share(owner(variants, f"{scene}.shuffled"), before[shuffle(len(before))]) <= LARGEST_SHARE


def test_masks_follow_the_boxes_exactly(variants: Path) -> None:
    before = masks(variants, f"{MOVED[0]}.boxes")
    assert before.any(axis=1).all()
    assert np.array_equal(masks(variants, f"{MOVED[0]}.boxes_shuffled"), before[shuffle(len(before))])


def test_bytes_depend_neither_on_workers_nor_on_other_scenes(twelve: Path, real_scans: Path, tmp_path: Path) -> None:
    scenes = ("scene0000_00", "scene0001_00")
    line = ("run", "folder", "--set", f"scenes.path={real_scans}", "--scenes", ",".join(scenes), "--workers", "0")
    completed(*line, "--output", "out", cwd=tmp_path)
    alone, among_others = checksums(tmp_path / "out", STAGES[:-1]), checksums(twelve, STAGES[:-1])
    assert alone
    assert alone == {
        file: value for file, value in among_others.items() if not set(scenes).isdisjoint(Path(file).parts)
    }

"""Bad input: what cannot start ends with 2; what is wrong with one scene stays with that scene; all of it is said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boxgp import PseudoLabels
from tests.end_to_end.command import Ended, boxgp, completed, results
from tests.end_to_end.scans import save_scan, small_scan

FULL_STAGES = ("scenes", "superpoints", "features", "posteriors", "pseudo_labels", "evaluation")


# What cannot start


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["nowhere.yaml"], ["nowhere.yaml does not exist"]),
        (["folder", "--set", "scenes.path=nowhere"], ["nowhere: no folder that can be read", "check `path`"]),
        (["folder"], ["scenes.path"]),
        (["demo", "--set", "posteriors.engin=laplace"], ["engin", "did you mean", "engine"]),
        (["demo", "--set", "scenes.points=many"], ["scenes.points", '"many" given; expected whole number >= 100']),
        (["wrong.yaml"], ["wrong.yaml:3: scenes.points", '"many" given']),
        (["broken.yaml"], ["broken.yaml"]),
        (["folder", "--set", "scenes.path=empty"], ["empty: no scene", "*.npz, *.ply and *.pcd"]),
        (["demo", "--scenes", "room_9999"], ["no scene 'room_9999'"]),
        (["demo", "--output", "file"], ["file cannot be used", "a file stands where a folder is needed"]),
        (["demo", "--output", "file/out"], ["file/out cannot be used", "a file stands where a folder is needed"]),
        (["demo", "--output", "/proc/out"], ["/proc/out cannot be used"]),
    ],
    ids=" ".join,
)
def test_what_cannot_start_ends_with_2_before_anything_runs(line: list[str], words: list[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "wrong.yaml").write_text("base: demo\nscenes:\n  points: many\n")
    (tmp_path / "broken.yaml").write_text("scenes: {source: rooms\n")
    ended = boxgp("run", *line, cwd=tmp_path)
    assert ended.code == 2, ended.out + ended.err
    assert ended.err.startswith("boxgp: ")
    for word in words:
        assert word in ended.err
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_dir()) == ["empty"]


# What is wrong with one scene


def _truncated(file: Path) -> None:
    save_scan(file)
    file.write_bytes(file.read_bytes()[:-2000])


def _foreign(file: Path) -> None:
    file.write_text("x y z\n0 0 0\n")


def _one_array(file: Path) -> None:
    with file.open("wb") as stream:
        np.save(stream, np.zeros((5, 3)))


def _with(**changes: Any) -> Callable[[Path], None]:
    return lambda file: save_scan(file, **changes)


SCAN = small_scan()
N = len(SCAN["xyz"])
CROSSED = SCAN["boxes"][:, [0, 1, 5, 3, 4, 2]]
AWAY = np.array([[50, 50, 0, 51, 51, 1]], np.float32)
HOLLOW = np.array([[3.0, 2.0, 1.0, 3.5, 2.5, 1.5]], np.float32)


def _boxes(*boxes: np.ndarray) -> Callable[[Path], None]:
    """Saves the scan with more boxes."""
    corners = np.concatenate([SCAN["boxes"], *boxes])
    none = np.full(len(corners) - 2, -1, np.int32)
    return _with(
        boxes=corners,
        box_class=np.concatenate([SCAN["box_class"], none]),
        box_instance=np.concatenate([SCAN["box_instance"], none]),
    )


NOT_FINITE = [0, 7, N - 1]


def _not_finite() -> np.ndarray:
    xyz = SCAN["xyz"].copy()
    xyz[NOT_FINITE] = [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, -np.inf]]
    return np.asarray(xyz)


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (_truncated, r"not a readable \.npz file \(.* was cut off\); download or export it again"),
    "foreign": (_foreign, r"not a readable \.npz file \(it is no zip archive, .*\); download or export it again"),
    "one_array": (_one_array, r"a single array, not an .npz archive; save it with np.savez"),
    "no_xyz": (_with(xyz=None), "no key 'xyz' .*; save the points as `xyz`"),
    "lengths": (_with(rgb=SCAN["rgb"][:-1]), rf"key 'rgb' is uint8 \({N - 1}, 3\), expected .* \({N}, 3\); .* agree"),
    "box_lengths": (_with(box_class=SCAN["box_class"][:1]), r"key 'box_class' is int32 \(1,\), expected .* \(2,\); .*"),
    "no_points": (
        _with(**{key: SCAN[key][:0] for key in ("xyz", "rgb", "normals", "instance", "semantic")}),
        "the scan has no points; export it again",
    ),
    "crossed": (_with(boxes=CROSSED), "boxes 0, 1 have max < min; give each box as min x, y, z, max x, y, z"),
    "undeclared": (
        _with(box_class=np.array([4, 18], np.int32)),
        "boxes 1 have a class outside 0..17; declare every class",
    ),
}
WARNED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no_boxes": (_with(boxes=np.zeros((0, 6)), box_class=None, box_instance=None), "no boxes; .* annotate it"),
    "hollow": (_boxes(HOLLOW), "boxes 2 hold no point; their masks stay empty"),
    "repeated": (_boxes(SCAN["boxes"][1:]), "boxes 2 repeat an earlier box exactly; delete one of each"),
    "away": (_boxes(AWAY), "boxes 2 lie outside the extent of the points; check that .* share frame and unit"),
    "one_point": (
        lambda file: np.savez(file, xyz=SCAN["xyz"][:1], boxes=np.array([[-1, -1, -1, 5, 5, 5]], np.float32)),
        "the scan has one point; check that the export is complete",
    ),
    "no_color": (_with(rgb=None), "no colour; "),
    "no_normals": (_with(normals=None), "no normals; "),
    "not_finite": (_with(xyz=_not_finite()), f"3 of {N} points are not finite; they keep their place and get no label"),
}


@dataclass(frozen=True)
class Run:
    """A run on one folder of sound, doubtful and broken scans."""

    ended: Ended
    folder: Path
    failures: str
    """what ``boxgp failures`` says"""

    @property
    def output(self) -> Path:
        """Its results."""
        return self.folder / "out"

    def warnings(self, scene: str) -> list[str]:
        """The warnings in the manifest of a scene."""
        manifest = json.loads((self.output / "scenes" / scene / "manifest.json").read_text())
        return [str(warning) for warning in manifest["warnings"]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("bad_input")
    (folder / "scans").mkdir()
    save_scan(folder / "scans" / "sound.npz")
    for name, (save, _) in (REFUSED | WARNED).items():
        save(folder / "scans" / f"{name}.npz")
    ended = boxgp("run", "folder", "--set", "scenes.path=scans", "--output", "out", cwd=folder)
    return Run(ended, folder, completed("failures", "out", cwd=folder).out)


def test_broken_scenes_fail_and_the_others_are_done(run: Run) -> None:
    bad, good = len(REFUSED), len(WARNED) + 1
    assert run.ended.code == 1
    assert run.ended.counts("scenes") == (good, 0, bad, 0)
    for stage in FULL_STAGES[1:]:
        assert run.ended.counts(stage) == (good, 0, 0, bad)
    assert run.ended.counts("summary") == (1, 0, 0, 0)
    assert f"{bad} failures:" in run.ended.out
    assert "boxgp failures out" in run.ended.out
    assert len(results(run.output)) == good * len(FULL_STAGES) + 1


@pytest.mark.parametrize("scene", REFUSED)
def test_a_broken_scene_is_named_with_what_to_do(scene: str, run: Run) -> None:
    (paragraph,) = re.findall(rf"^{scene}, stage scenes\n((?:  .*\n)+)", run.failures, re.MULTILINE)
    said = " ".join(paragraph.split())
    assert re.search(rf"scans/{scene}\.npz: {REFUSED[scene][1]}", said), said
    log = re.search(r"log: (\S+)$", said)
    assert log is not None
    assert f" ERROR scenes round=0 scene={scene} " in (run.folder / log[1]).read_text()
    assert "unexpected" not in said
    assert re.search(rf"^  {scene}, scenes: .*scans/{scene}\.npz", run.ended.out, re.MULTILINE)
    assert not (run.output / "scenes" / scene).exists()


@pytest.mark.parametrize("scene", WARNED)
def test_a_doubtful_scene_is_done_with_a_warning(scene: str, run: Run) -> None:
    expected = re.compile(rf"scans/{scene}\.npz: {WARNED[scene][1]}")
    assert len([warning for warning in run.warnings(scene) if expected.search(warning)]) == 1
    lines = [line for log in (run.output / "logs" / "scenes").iterdir() for line in log.read_text().splitlines()]
    assert [line for line in lines if f" WARNING scenes round=0 scene={scene} " in line and expected.search(line)]
    assert f"{scene}, stage" not in run.failures
    with np.load(run.folder / "scans" / f"{scene}.npz") as arrays:
        points, boxes = len(arrays["xyz"]), len(arrays["boxes"])
    assert PseudoLabels.open(run.output / "round_00" / "pseudo_labels" / scene).at_points().shape == (boxes, points)


def test_a_sound_scene_has_no_warning(run: Run) -> None:
    assert run.warnings("sound") == []


def test_boxes_without_points_have_empty_masks(run: Run) -> None:
    for scene in ("hollow", "away"):
        masks = PseudoLabels.open(run.output / "round_00" / "pseudo_labels" / scene).at_points()
        assert masks[:2].any(axis=1).all()
        assert not masks[2].any()


def test_points_that_are_not_finite_have_no_region_and_no_label(run: Run) -> None:
    labels = PseudoLabels.open(run.output / "round_00" / "pseudo_labels" / "not_finite")
    assert np.flatnonzero(labels.superpoint < 0).tolist() == NOT_FINITE
    assert (labels.superpoint[NOT_FINITE] == -1).all()
    for name in ("mask", "mean", "variance", "probability"):
        assert not labels.at_points(name)[:, NOT_FINITE].any()
    assert labels.mask.any()


# One of ten


def test_one_broken_scene_of_ten_leaves_nine(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for seed in range(9):
        save_scan(tmp_path / "scans" / f"room_{seed}.npz", seed)
    _truncated(tmp_path / "scans" / "room_9.npz")
    line = ("run", "folder", "--set", "scenes.path=scans", "--output", "out")
    ended = boxgp(*line, cwd=tmp_path)
    assert ended.code == 1
    assert ended.counts("scenes") == (9, 0, 1, 0)
    assert ended.counts("pseudo_labels") == (9, 0, 0, 1)
    assert re.search(r"^1 failure:\n  room_9, scenes: ", ended.out, re.MULTILINE)
    assert "9 scenes, 18 boxes" in ended.out
    save_scan(tmp_path / "scans" / "room_9.npz", 9)
    assert completed(*line, "--stage", "scenes", cwd=tmp_path).counts("scenes") == (1, 9, 0, 0)
    assert "room_9, stage scenes" not in completed("failures", "out", cwd=tmp_path).out


def test_failures_are_said_although_they_cannot_be_recorded(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    _truncated(tmp_path / "scans" / "a.npz")
    (tmp_path / "out").mkdir()
    for name in ("records", "failures"):
        (tmp_path / "out" / name).touch()  # a file where a folder is needed
    ended = boxgp("run", "folder", "--set", "scenes.path=scans", "--output", "out", cwd=tmp_path)
    assert ended.code == 1
    assert re.search(r"^1 failure:\n  a, scenes: .*a\.npz: not a readable \.npz file", ended.out, re.MULTILINE)

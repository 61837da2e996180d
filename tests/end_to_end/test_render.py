"""The real command draws pictures without a screen."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.command import boxgp, completed
from tests.stages.scenery import two_objects

COLORS = ("rgb", "truth", "label", "uncertainty", "source", "superpoint")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_a_picture_of_the_labels(undisturbed: Path, tmp_path: Path) -> None:
    ended = completed("render", undisturbed, "room_0001", "labels.png", cwd=tmp_path)
    picture = pixels(tmp_path / "labels.png")
    assert ended.out == f"labels.png: {picture.shape[1]} x {picture.shape[0]} pixels\n"
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


@pytest.mark.slow
def test_every_coloring_is_a_picture_of_its_own(undisturbed: Path, tmp_path: Path) -> None:
    pictures = []
    for color in COLORS:
        ended = completed("render", undisturbed, "room_0001", f"{color}.png", "--color", color, cwd=tmp_path)
        assert ended.out.startswith(f"{color}.png: 1200 x ")
        pictures.append(pixels(tmp_path / f"{color}.png"))
    for picture in pictures:
        drawn = np.any(picture < 250, axis=2).mean()
        assert 0.05 < drawn < 0.95
    kinds = {picture.tobytes() for picture in pictures}
    assert len(kinds) == len(COLORS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{color}.png" for color in COLORS)


@pytest.mark.slow
def test_views_differ_and_a_view_can_be_given_by_its_angles(undisturbed: Path, tmp_path: Path) -> None:
    for view in ("corner", "top", "front", "side", "215,42", "--view=-30,10"):
        option = (view,) if view.startswith("--") else ("--view", view)
        completed("render", undisturbed, "room_0000", f"{view.strip('-')}.png", *option, cwd=tmp_path)
    found = {path.stem: pixels(path).tobytes() for path in tmp_path.glob("*.png")}
    assert found["corner"] == found["215,42"]
    assert len(set(found.values())) == 5


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("room_0000", "a.png", "--view", "above"), "choose one of corner, top, front, side"),
        (("room_0000", "a.png", "--color", "depth"), "choose one of rgb, truth, label"),
        (("room_0009", "a.png"), "has no labels of scene 'room_0009'"),
        (("room_0000", "a.jpg"), "give the name of a PNG file, as in room_0000.png"),
        (("room_0000", "a.png", "--round", "7"), "there are those of round 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(line: tuple[str, ...], words: str, undisturbed: Path, tmp_path: Path) -> None:
    ended = boxgp("render", undisturbed, *line, cwd=tmp_path)
    assert ended.code == 2
    assert words in ended.err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_colors_and_truth_that_a_scan_does_not_have_are_refused(tmp_path: Path) -> None:
    scene = two_objects(points=600)
    (tmp_path / "scans").mkdir()
    np.savez(tmp_path / "scans" / "bare.npz", xyz=scene.xyz, boxes=scene.boxes.corners)
    completed("run", "folder", "--set", "scenes.path=scans", "--output", "out", cwd=tmp_path)
    for color, words in (("rgb", "has no colours; choose one of truth"), ("truth", "has no ground truth")):
        ended = boxgp("render", "out", "bare", "a.png", "--color", color, cwd=tmp_path)
        assert ended.code == 2
        assert words in ended.err
    completed("render", "out", "bare", "a.png", cwd=tmp_path)

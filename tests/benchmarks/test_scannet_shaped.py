"""Scenes in given boxes: exact truth, every class, the same bytes from the same seed."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.scannet_shaped import NAMES, SHAPES, furnished, scannet_shaped, thing
from stages.scenes.rooms.style import Style

LOW, HIGH = np.array([-3.0, -3.0, 0.0]), np.array([3.0, 3.0, 2.5])


@pytest.mark.parametrize("kind", NAMES)
def test_every_thing_fills_its_box(kind: str) -> None:
    assert set(SHAPES) == set(NAMES)
    box = np.array([-2.0, 1.0, 0.1, -1.2, 1.5, 1.0])
    mesh = thing(kind, box, LOW, HIGH, Style(np.random.default_rng(0)))
    np.testing.assert_allclose(mesh.triangles.min(axis=(0, 1)), box[:3], atol=1e-9)
    np.testing.assert_allclose(mesh.triangles.max(axis=(0, 1)), box[3:], atol=1e-9)


def test_objects_lie_in_their_boxes() -> None:
    corners = np.array([[0.0, 0, 0, 1, 1, 0.8], [0.8, 0.2, 0, 1.6, 0.9, 1.8], [2.5, 2.5, 0, 3, 3, 0.5]])
    scene = furnished(corners, ["table", "cabinet", "chair"], [1], "room", 4000)
    assert scene.instance is not None
    assert scene.semantic is not None
    assert len(scene) == 4000
    assert scene.instance_class is not None
    assert [NAMES[k] for k in scene.instance_class] == ["table", "cabinet", "chair"]
    for index, box in enumerate(corners):
        points = scene.xyz[scene.instance == index]
        assert len(points) > 20
        assert (points > box[:3] - 0.03).all()
        assert (points < box[3:] + 0.03).all()
    assert set(np.unique(scene.semantic[scene.instance < 0])) <= {0, 1, 2}


def test_a_seed_gives_the_same_scenes(tmp_path: Path) -> None:
    center = np.array([[0, 0, 0.4], [1, 0, 0.5], [5, 5, 1]], np.float32)
    file = tmp_path / "boxes.npz"
    np.savez(
        file,
        scene_id=np.array(["one", "empty", "two"]),
        box_scene=np.array([0, 0, 2], np.int32),
        box_center=center,
        box_size=np.array([[1, 1, 0.8], [1, 0.5, 1], [1, 1, 2]], np.float32),
        box_class=np.array([4, 2, 7], np.int32),
    )
    first, again = (list(scannet_shaped(file, 2, 3, 500)) for _ in range(2))
    assert sorted(scene.scene for scene in first) == ["shaped_one", "shaped_two"]
    for one, other in zip(first, again, strict=True):
        assert one.xyz.tobytes() == other.xyz.tobytes()
        assert one.rgb is not None
        assert other.rgb is not None
        assert one.rgb.tobytes() == other.rgb.tobytes()
    other_seed = next(scene for scene in scannet_shaped(file, 2, 4, 500) if scene.scene == first[0].scene)
    assert other_seed.xyz.tobytes() != first[0].xyz.tobytes()

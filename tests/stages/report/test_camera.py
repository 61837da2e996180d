import numpy as np
import pytest

from stages.report.camera import CAMERAS, Camera, camera_of, in_the_way

UP, DOWN, SOUTH = [0, 0, 1], [0, 0, -1], [0, -1, 0]


@pytest.mark.parametrize("camera", [*CAMERAS.values(), Camera(-73.5, -20.0)])
def test_axes_are_a_turn_and_up_is_up(camera: Camera) -> None:
    axes = camera.axes
    assert np.allclose(axes @ axes.T, np.eye(3))
    assert np.isclose(np.linalg.det(axes), 1)
    assert axes[1, 2] >= -1e-12
    assert np.isclose(axes[0, 2], 0)


def test_named_views_look_where_their_names_say() -> None:
    assert np.allclose(CAMERAS["top"].axes, np.eye(3))
    assert np.allclose(CAMERAS["front"].axes[2], SOUTH)
    assert np.allclose(CAMERAS["side"].axes, [[0, 1, 0], [0, 0, 1], [1, 0, 0]])


def test_a_view_is_a_name_or_two_angles() -> None:
    assert camera_of("corner") == CAMERAS["corner"]
    assert camera_of("30,-45.5") == Camera(30.0, -45.5)
    for text in ("corners", "30", "30,91", "nan,0", "1,2,3", ""):
        assert camera_of(text) is None


def test_what_shows_its_back_is_in_the_way_and_takes_along_what_hangs_on_it() -> None:
    # seen from above: floor, ceiling, a lamp on the ceiling (object 0), a table (object 1) with an underside
    normal = np.array([UP, DOWN, DOWN, DOWN, UP, UP, DOWN, [0, 0, 0]], np.float32)
    owner = np.array([-1, -1, 0, 0, 1, 1, 1, -1], np.int32)
    hidden, gone = in_the_way(normal, owner, CAMERAS["top"], 3)
    assert hidden.tolist() == [False, True, True, True, False, False, False, False]
    assert gone.tolist() == [True, False, False]


def test_a_scene_without_boxes_has_walls_too() -> None:
    hidden, gone = in_the_way(np.array([UP, DOWN], np.float32), np.array([-1, -1], np.int32), CAMERAS["top"], 0)
    assert hidden.tolist() == [False, True]
    assert len(gone) == 0

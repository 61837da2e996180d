from typing import Any

import numpy as np
import pytest

from stages.report.camera import CAMERAS, Camera
from stages.report.picture import Drawing, picture

RED, BLUE, GREEN = (200, 0, 0), (0, 0, 200), (0, 200, 0)


def sheet(height: float, side: float = 1.0, steps: int = 150) -> np.ndarray:
    """Points of a level square around the origin."""
    line = np.linspace(-side / 2, side / 2, steps)
    x, y = np.meshgrid(line, line)
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, height)], axis=1).astype(np.float32)


def drawing(*parts: tuple[np.ndarray, tuple[int, int, int]], **changes: Any) -> Drawing:
    xyz = np.concatenate([points for points, _ in parts])
    color = np.concatenate([np.tile(np.array(color, np.uint8), (len(points), 1)) for points, color in parts])
    values: dict[str, Any] = {"xyz": xyz, "color": color, "normal": None}
    values |= {"boxes": np.zeros((0, 6), np.float32), "box_color": np.zeros((0, 3), np.uint8)}
    return Drawing(**(values | changes))


def middle(image: np.ndarray) -> list[int]:
    color: list[int] = image[image.shape[0] // 2, image.shape[1] // 2].tolist()
    return color


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearest_point_is_seen_whatever_the_order(order: int) -> None:
    parts = [(sheet(0.0, 2.0), RED), (sheet(1.0), BLUE)][::order]
    image = picture(drawing(*parts), CAMERAS["top"], 200)
    assert middle(image) == list(BLUE)
    assert image[100, 30].tolist() == list(RED)
    assert image[2, 2].tolist() == [255, 255, 255]


def test_from_below_the_other_side_is_seen() -> None:
    image = picture(drawing((sheet(0.0), RED), (sheet(1.0), BLUE)), Camera(0.0, -90.0), 200)
    assert middle(image) == list(RED)


def test_a_surface_has_no_holes_where_points_are_few() -> None:
    for steps in (140, 400):
        image = picture(drawing((sheet(0.0, steps=steps), RED)), CAMERAS["top"], 300)
        inside = image[40:-40, 40:-40].reshape(-1, 3)
        assert np.all(inside == RED)


def test_lines_of_boxes_are_drawn_over_what_they_surround_and_faint_behind_it() -> None:
    box = np.array([[-0.5, -0.5, -0.1, 0.5, 0.5, 0.5]], np.float32)
    green = np.array([GREEN], np.uint8)
    floor = (sheet(0.0, 2.0), RED)
    seen = picture(drawing(floor, boxes=box, box_color=green), CAMERAS["top"], 400)
    assert np.any(np.all(seen == GREEN, axis=2))
    covered = picture(drawing(floor, (sheet(1.0, 1.5), RED), boxes=box, box_color=green), CAMERAS["top"], 400)
    assert not np.any(np.all(covered == GREEN, axis=2))
    assert np.any((covered[..., 1] > 30) & (covered[..., 0] < 180) & (covered[..., 2] == 0))


def test_the_whole_box_is_in_the_picture() -> None:
    box = np.array([[-3, -1, 0, 3, 1, 1]], np.float32)
    image = picture(drawing((sheet(0.0), RED), boxes=box, box_color=np.array([GREEN], np.uint8)), CAMERAS["top"], 300)
    columns = np.flatnonzero(np.any(image[..., 1] > image[..., 0].astype(int) + 50, axis=0))
    assert columns.min() < 20
    assert columns.max() > 280
    assert image.shape[0] < 150


def test_surfaces_are_shaded_by_where_they_face() -> None:
    points = sheet(0.0)
    up, away = (np.tile(np.array(normal, np.float32), (len(points), 1)) for normal in ([0, 0, 1], [1, 0, 0]))
    bright, dark = (
        middle(picture(drawing((points, RED), normal=normal), CAMERAS["top"], 100))[0] for normal in (up, away)
    )
    assert bright > dark > 0.5 * RED[0]


def test_a_single_point_and_a_wall_seen_from_its_side_can_be_drawn() -> None:
    one = np.zeros((1, 3), np.float32)
    assert picture(drawing((one, RED)), CAMERAS["corner"], 64).shape[1] == 64
    assert picture(drawing((sheet(0.0), RED)), CAMERAS["side"], 64).shape[1] == 64
    with pytest.raises(ValueError, match="no point"):
        picture(drawing((np.zeros((0, 3), np.float32), RED)), CAMERAS["top"], 64)

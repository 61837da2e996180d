from pathlib import Path

import numpy as np
import pytest

from benchmarks.store_layouts import LAYOUTS, Layout
from benchmarks.stores import BOXES, POINTS, REGIONS, measure, rendered, scene
from tests.benchmarks.test_report import MACHINE


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_layout_gives_back_what_was_written_and_replaced(kind: type[Layout], tmp_path: Path) -> None:
    layout = kind(tmp_path)
    scenes = {0: scene(0), 1: scene(1), 2: scene(2)}
    layout.write(scenes)
    scenes[1] = scene(7)
    layout.replace(1, scenes[1])
    order = [(index, stage) for index in scenes for stage in scenes[index]]
    found = list(layout.read(list(scenes)))
    if kind.scene_by_scene == "no":
        order.sort(key=lambda pair: pair[1], reverse=True)
    assert len(found) == len(order) == 6
    for (index, stage), arrays in zip(order, found, strict=True):
        expected = scenes[index][stage].arrays
        assert arrays.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(arrays[name], array.values)


def test_scenes_have_the_shapes_they_are_said_to_have() -> None:
    one = scene(3)
    assert one["superpoints"].arrays["normal"].values.shape == (POINTS, 3)
    mask = one["pseudo_labels"].arrays["mask"].values
    assert mask.shape == (BOXES, REGIONS)
    assert mask.sum(axis=0).max() == 1


def test_figures_and_their_table(tmp_path: Path) -> None:
    scenes = {0: scene(0), 1: scene(1)}
    rows = [measure(kind, scenes, tmp_path / kind.__name__) for kind in LAYOUTS]
    folders, zips, _ = rows
    assert folders["arrays"] == zips["arrays"] == 22
    assert zips["inodes"] == 7  # folder, zip and manifest of two results, and half of the two folders of the stages
    assert folders["inodes"] > 10 * zips["inodes"]
    text = rendered({"machine": MACHINE, "versions": {"zarr": "3"}, "scenes": 2, "layouts": rows})
    assert "| a zip a result (boxgp) |" in text
    assert f" 7.0 ({7 / folders['inodes']:.2f}) " in text
    assert text.splitlines()[2].count("(1.00)") == 6

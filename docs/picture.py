"""The picture of the README: one scan with its boxes, its labels and their uncertainty.

    boxgp run demo && python docs/picture.py outputs/demo room_0001 docs/room.png

Wants matplotlib, which boxgp itself does not need.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

from boxgp import PseudoLabels
from stages.stores import read_scene
from stages.structures import Scene

mpl.use("Agg")
import matplotlib.pyplot as plt

AZIMUTH, ELEVATION = np.radians(215), np.radians(42)
HANGING = (1, 8, 9, 11, 16)
"""NYU40 ids of walls and of what is on them; those between the room and the eye are left out"""
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
EDGES = [(a, b) for a in range(8) for b in range(a) if np.abs(CORNERS[a] - CORNERS[b]).sum() == 1]


def project(xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Picture coordinates [N, 2] and depth of points seen from afar."""
    right = np.array([-np.sin(AZIMUTH), np.cos(AZIMUTH), 0])
    toward = np.array([np.cos(AZIMUTH) * np.cos(ELEVATION), np.sin(AZIMUTH) * np.cos(ELEVATION), np.sin(ELEVATION)])
    return np.stack([xyz @ right, xyz @ np.cross(toward, right)], axis=1), xyz @ toward


def in_the_way(scene: Scene) -> np.ndarray:
    """True for points of walls, and of what hangs on them, on the near side of the room."""
    toward = scene.xyz[:, :2] @ np.array([np.cos(AZIMUTH), np.sin(AZIMUTH)])
    return np.isin(scene.semantic, HANGING) & (toward > np.median(toward))


def draw(axes: plt.Axes, xyz: np.ndarray, color: np.ndarray, title: str) -> None:
    """Points, the far ones first."""
    place, depth = project(xyz)
    order = np.argsort(depth)
    axes.scatter(*place[order].T, c=color[order], s=1.6, linewidths=0)
    axes.set_title(title, fontsize=11)
    axes.set_aspect("equal")
    axes.axis("off")


def draw_boxes(axes: plt.Axes, boxes: np.ndarray, palette: np.ndarray) -> None:
    """Edges of each box in the colour of its object."""
    for box, color in zip(boxes, palette, strict=True):
        place, _ = project(box[:3] + CORNERS * (box[3:] - box[:3]))
        for a, b in EDGES:
            axes.plot(*place[[a, b]].T, color=color, linewidth=0.9)


def main() -> None:
    """Reads one scene of a run and writes its picture."""
    run, name, target = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    scene = read_scene(run / "scenes" / name)
    labels = PseudoLabels.open(run / "round_00" / "pseudo_labels" / name)
    generator = np.random.default_rng(3)
    hue = generator.permutation(np.linspace(0, 1, len(labels.mask), endpoint=False))
    palette = mpl.colormaps["hsv"](hue)[:, :3] * 0.85
    grey = np.array([0.82, 0.82, 0.82])
    mask = labels.at_points("mask")
    owner = np.where(mask.any(axis=0), mask.argmax(axis=0), -1)
    place = np.full(int(scene.instance.max()) + 2, -1)
    place[labels.boxes.instance] = np.arange(len(palette))
    truth = place[scene.instance]
    doubt = np.append(labels.uncertainty, 0)[labels.superpoint]
    colors = np.concatenate([palette, grey[None]])
    shown = ~in_the_way(scene)
    boxes = np.unique(truth[shown & (truth >= 0)])
    xyz = scene.xyz[shown]
    figure, axes = plt.subplots(2, 2, figsize=(11, 8.4), dpi=80, layout="constrained")
    draw(axes[0, 0], xyz, scene.rgb[shown] / 255, "in: a scan and its boxes")
    draw_boxes(axes[0, 0], labels.boxes.corners[boxes], palette[boxes])
    draw(axes[0, 1], xyz, colors[owner[shown]], "out: one mask an object")
    draw(axes[1, 0], xyz, mpl.colormaps["magma_r"](doubt[shown] * 0.9 + 0.05), "out: uncertainty (dark: unsure)")
    draw(axes[1, 1], xyz, colors[truth[shown]], "the truth, for comparison")
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    picture.quantize(96).save(target, optimize=True)


if __name__ == "__main__":
    main()

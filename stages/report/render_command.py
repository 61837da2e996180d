"""``boxgp render``: a picture of one scene."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.atomic import remove, temporary_sibling, writing
from pipeline.errors import ConfigurationError, StoreError
from pipeline.results import RunResults, chosen_among, results_of
from pipeline.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from stages.pseudo_labels.labels import PseudoLabels
    from stages.report.camera import Camera
    from stages.structures import Scene

COLORS = ("rgb", "truth", "label", "uncertainty", "source", "superpoint")
BOXED = ("rgb", "truth", "label")
"""colours beside which the boxes are drawn: elsewhere their colours would mean nothing"""
SHADED = ("truth", "label", "source", "superpoint")
"""colours that stand for names: shading shows shapes, while it would falsify a scan's own colours and a scale"""
_WIDTH = 1200


def render(arguments: argparse.Namespace, stages: Sequence[tuple[str, type[Stage]]]) -> int:  # noqa: ARG001
    """Writes the picture.

    Raises InputError where there is no such run, round or scene; ConfigurationError for a view, a colour or a file that
    cannot be; StoreError where a result cannot be read or the picture not be written.
    """
    from stages.report.camera import CAMERAS, camera_of

    camera = camera_of(arguments.view)
    if camera is None:
        raise ConfigurationError(
            f"--view {arguments.view!r}: choose one of {', '.join(CAMERAS)}, or azimuth,elevation in degrees with the "
            "elevation from -90 to 90, as in 215,42 (where the azimuth is below 0, write --view=-30,42)"
        )
    if arguments.color not in COLORS:
        raise ConfigurationError(f"--color {arguments.color!r}: choose one of {', '.join(COLORS)}")
    target = Path(arguments.file).expanduser()
    if target.suffix.lower() != ".png" or target.is_dir():
        raise ConfigurationError(f"{arguments.file}: give the name of a PNG file, as in {arguments.scene}.png")
    results = results_of(arguments.run, arguments.round)
    (scene,) = chosen_among(results, (arguments.scene,))
    image = scene_picture(results, scene, camera, arguments.color, _WIDTH)
    _write(target, image)
    print(f"{target}: {image.width} x {image.height} pixels")
    return 0


def scene_picture(results: RunResults, scene: str, camera: Camera, color: str, width: int) -> Image:
    """The picture of a scene, with a legend where its colours need one; raises as ``render`` does."""
    import numpy as np
    from PIL import Image

    from stages.pseudo_labels.store import read_labels
    from stages.report.camera import in_the_way
    from stages.report.colors import owner_colors
    from stages.report.legend import with_legend
    from stages.report.picture import Drawing, picture
    from stages.report.regions import regions_of
    from stages.stores import read_scene

    scan, labels = read_scene(results.of("scenes", scene)), read_labels(results.of("pseudo_labels", scene))
    if len(scan) != len(labels.superpoint):
        raise StoreError(f"the scan of {scene} has changed since its labels were made: finish with boxgp run")
    points = np.flatnonzero(labels.superpoint >= 0)
    colors = _point_colors(results, scan, labels, color)[points]
    boxes = labels.boxes.corners
    shown, boxed = np.ones(len(points), bool), np.ones(len(boxes), bool)
    normal = _normals(results, scene)
    if normal is not None:
        normal = normal[points]
        hidden, gone = in_the_way(normal, regions_of(labels).owner[labels.superpoint[points]], camera, len(boxes))
        # a scan of nothing but backs, such as one object from below, is better shown than not
        shown, boxed = (shown, boxed) if hidden.all() else (~hidden, ~gone)
    boxed &= color in BOXED
    if not shown.any():
        raise ConfigurationError(f"scene {scene} has no points to draw")
    drawing = Drawing(
        xyz=scan.xyz[points][shown],
        color=colors[shown],
        normal=normal[shown] if normal is not None and color in SHADED else None,
        boxes=boxes[boxed],
        box_color=owner_colors(np.flatnonzero(boxed).astype(np.int32)),
    )
    return with_legend(Image.fromarray(picture(drawing, camera, width)), color, labels.source)


def _point_colors(results: RunResults, scan: Scene, labels: PseudoLabels, color: str) -> np.ndarray:
    from stages.report import colors
    from stages.report.regions import regions_of
    from stages.report.scene_view import truth_owner

    if color == "rgb":
        if scan.rgb is None:
            raise ConfigurationError(f"--color rgb: scene {scan.scene} has no colours; {_others('rgb')}")
        return scan.rgb
    if color == "truth":
        truth = truth_owner(scan, _instances(results, scan.scene, labels))
        if truth is None:
            raise ConfigurationError(f"--color truth: scene {scan.scene} has no ground truth; {_others('truth')}")
        return colors.owner_colors(truth)
    regions = regions_of(labels)
    if color == "label":
        return colors.owner_colors(regions.owner)[labels.superpoint]
    if color == "uncertainty":
        return colors.uncertainty_colors(regions.uncertainty)[labels.superpoint]
    if color == "source":
        return colors.source_colors(regions.source)[labels.superpoint]
    return colors.region_colors(labels.superpoint)


def _others(color: str) -> str:
    return f"choose one of {', '.join(one for one in COLORS if one != color)}"


def _instances(results: RunResults, scene: str, labels: PseudoLabels) -> np.ndarray:
    """The instance that each box annotates, by the evaluation where there is one."""
    from stages.report.gather import evaluation_of

    found = evaluation_of(results, scene)
    return labels.boxes.instance if found is None or found.truth is None else found.truth.objects.instance


def _normals(results: RunResults, scene: str) -> np.ndarray | None:
    """Normals into the room; None where the run has none, as one of imported labels."""
    from stages.stores import read_superpoints

    folder = results.of("superpoints", scene)
    return read_superpoints(folder).surface.normal if folder.is_dir() else None


def _write(target: Path, image: Image) -> None:
    temporary = temporary_sibling(target)
    with writing(target):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(temporary, format="PNG", optimize=True)
            temporary.replace(target)
        except BaseException:
            remove(temporary)
            raise

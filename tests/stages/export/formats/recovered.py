"""What readers of an export have to find again, from our labels alone: objects, classes, regions, coordinates."""

import io
import pickle
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from stages.export.base import Format, Written
from stages.export.scene import LabelledScene
from tests.stages.export.labelled import (
    renamed_classes,
    small_room,
    unaligned,
    with_empty_object,
    with_ignored,
    with_nan,
    without_boxes,
)

VARIANTS: dict[str, Callable[[], LabelledScene]] = {
    "room": small_room,
    "lost points": lambda: with_nan(small_room()),
    "no boxes": lambda: without_boxes(small_room()),
    "object without points": lambda: with_empty_object(small_room()),
    "ignored regions": lambda: with_ignored(small_room()),
    "aligned": lambda: unaligned(small_room()),
    "own classes": lambda: renamed_classes(small_room()),
    "all of it": lambda: with_ignored(with_empty_object(with_nan(unaligned(renamed_classes(small_room()))))),
}
"""What a scan may be like."""


def load(written: Written, path: str) -> Any:
    """One file as ``torch.load`` gives it to a trainer."""
    return torch.load(io.BytesIO(written.files[path]), weights_only=False)


def assert_readable_by_old_numpy(written: Written) -> None:
    """No pickle names the core of NumPy as version 2 does, which older ones do not find."""
    pickled = [name for name in written.files if name.endswith((".pth", ".pkl"))]
    for name in pickled:
        with zipfile.ZipFile(io.BytesIO(written.files[name])) as entries:
            (data,) = (entry for entry in entries.namelist() if entry.endswith("data.pkl"))
            assert b"numpy._core" not in entries.read(data)
    assert pickled


def assert_says_what_was_left_out(labelled: LabelledScene, written: Written) -> None:
    """Where points were lost, the indices of the others lie beside."""
    finite, path = np.isfinite(labelled.scene.xyz).all(axis=1), f"kept_points/{labelled.name}.npy"
    assert (path in written.files) == (not finite.all())
    if not finite.all():
        np.testing.assert_array_equal(np.load(io.BytesIO(written.files[path])), np.flatnonzero(finite))


def assert_equal_bytes(kind: Callable[[], Format], make: Callable[[], LabelledScene]) -> None:
    """Two scenes with the same labels give the same bytes, whichever objects in memory hold them."""
    other = pickle.loads(pickle.dumps(make()))
    assert kind().scene_files(make()) == kind().scene_files(other)


def masks(labelled: LabelledScene) -> np.ndarray:
    """bool [K, M]: our masks at the points that are finite."""
    return labelled.labels.at_points("mask")[:, np.isfinite(labelled.scene.xyz).all(axis=1)]


def ignored(labelled: LabelledScene) -> np.ndarray:
    """bool [M]: points of regions that no loss may use."""
    finite = np.isfinite(labelled.scene.xyz).all(axis=1)
    return labelled.labels.ignore[labelled.labels.superpoint[finite]]


def assert_instances(labelled: LabelledScene, instance: np.ndarray, *, none: int, first: int = 0) -> None:
    """``instance`` is ``first`` and up for our objects, and ``none`` wherever no object is."""
    ours = masks(labelled)
    np.testing.assert_array_equal(instance == first + np.arange(len(ours))[:, None], ours)
    assert (instance[~ours.any(axis=0)] == none).all()


def assert_classes(
    labelled: LabelledScene, semantic: np.ndarray, id_of: Mapping[str, int], *, background: int, nothing: int
) -> None:
    """``semantic`` is the id of the class of the object, ``background``, or ``nothing`` at points to be ignored."""
    expected = np.full(len(semantic), background)
    for mask, index in zip(masks(labelled), labelled.labels.boxes.class_index, strict=True):
        expected[mask] = id_of[labelled.labels.class_names[index]]
    expected[ignored(labelled)] = nothing
    np.testing.assert_array_equal(semantic, expected)


def assert_regions(labelled: LabelledScene, superpoint: np.ndarray) -> None:
    """``superpoint`` parts the points as our regions do, with ids 0.. without gaps."""
    finite = np.isfinite(labelled.scene.xyz).all(axis=1)
    pairs = np.unique(np.stack([labelled.labels.superpoint[finite], superpoint]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    np.testing.assert_array_equal(np.unique(superpoint), np.arange(pairs.shape[1]))


def file_xyz(labelled: LabelledScene) -> np.ndarray:
    """float64 [M, 3]: where the finite points are in the scan's own file."""
    scene = labelled.scene
    xyz = scene.xyz[np.isfinite(scene.xyz).all(axis=1)].astype(np.float64) + scene.offset
    if scene.alignment is None:
        return xyz
    homogeneous = np.c_[xyz, np.ones(len(xyz))] @ np.linalg.inv(scene.alignment).T
    return np.asarray(homogeneous[:, :3])


def assert_centered(labelled: LabelledScene, coords: np.ndarray) -> None:
    """``coords`` are the points of the scan's own file minus their mean, to float32."""
    expected = file_xyz(labelled)
    assert coords.dtype == np.float32
    assert coords.flags.c_contiguous  # what trainers have in C++ takes memory as it comes
    np.testing.assert_allclose(coords, expected - expected.mean(axis=0), rtol=0, atol=2e-6)


def assert_colors_from_minus_one(labelled: LabelledScene, colors: np.ndarray) -> None:
    """``colors`` are float32 from -1 to 1, from which the scan's can be had exactly."""
    rgb = labelled.scene.rgb
    assert rgb is not None
    assert colors.dtype == np.float32
    assert np.abs(colors).max() <= 1
    np.testing.assert_array_equal(np.round((colors + 1) * 127.5), rgb[np.isfinite(labelled.scene.xyz).all(axis=1)])


def without_gaps(instance: np.ndarray) -> np.ndarray:
    """Instance ids as PointGroup and its heirs number them anew after a crop: the last one fills the first gap."""
    instance = instance.copy()
    place = 0
    while place < instance.max():
        if not (instance == place).any():
            instance[instance == instance.max()] = place
        place += 1
    return instance


def instances_of(semantic: np.ndarray, instance: np.ndarray) -> list[tuple[int, bytes]]:
    """(class id, mask) of each instance as such a reader makes them, sorted.

    Fails where the reader would: an instance of several classes, or a gap in the ids.
    """
    instance = without_gaps(instance)
    found = []
    for number in range(int(instance.max()) + 1):
        (kind,) = np.unique(semantic[instance == number])
        found.append((int(kind), (instance == number).tobytes()))
    return sorted(found)


def our_instances(labelled: LabelledScene, id_of: Mapping[str, int]) -> list[tuple[int, bytes]]:
    """(class id, mask) of each of our objects that has points, sorted."""
    names: Sequence[str] = labelled.labels.class_names
    classes = labelled.labels.boxes.class_index
    return sorted(
        (id_of[names[index]], mask.tobytes())
        for index, mask in zip(classes, masks(labelled), strict=True)
        if mask.any()
    )


def ids_of(labelled: LabelledScene, scannet: Sequence[str], first: int = 0) -> dict[str, int]:
    """Class name -> id: ScanNet's in the order ``scannet``, a run's own ones in their order behind wall and floor."""
    own = labelled.labels.class_names
    known = set(own) <= set(scannet)
    names = scannet if known else own
    behind = 0 if known else len([name for name in ("wall", "floor") if name in scannet])
    return {name: first + behind + place for place, name in enumerate(names)}


def arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file."""
    with np.load(io.BytesIO(content)) as opened:
        return dict(opened)

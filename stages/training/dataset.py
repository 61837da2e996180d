"""A run or a release as a data set of torch, for trainers outside boxgp."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.config import SPLITS
from pipeline.errors import InputError, SceneError
from pipeline.results import RunResults, results_of
from pipeline.stage import SceneJob
from stages.export.delivery import read_labelled
from stages.export.planning import splits_of
from stages.pseudo_labels.labels import PseudoLabels
from stages.scenes.annotate import offset_of, relative
from stages.scenes.folder import SUFFIXES
from stages.scenes.pointfiles import read_npz, read_open3d
from stages.training.scenes import region_labels
from stages.typing import Bool, Float32, Int64, UInt8

LABELS, SCANS, TABLE = "labels", "scans", "scenes.csv"
"""what a release consists of: a store a scene, points where their license allows, and a table of the scenes"""
STORE = ".zarr.zip"


@dataclass(frozen=True, eq=False)
class LabelledScan:
    """One scan and its labels: N points that have a region, S regions, K objects that have one.

    Objects that no region is labelled with are left out, as nothing shows what they look like.
    """

    scene: str
    class_names: tuple[str, ...]
    point: Int64[Tensor, " N"]
    """place of each point in the scan; points without a region (not finite) are left out"""
    xyz: Float32[Tensor, "N 3"] | None
    """metres, z up; None where the labels came without points"""
    color: Float32[Tensor, "N 3"] | None
    """in [-1, 1]; None where the scan has none"""
    superpoint: Int64[Tensor, " N"]
    """region of each point, 0..S-1: ``mask[:, superpoint]`` is the mask at points"""
    mask: Bool[Tensor, "K S"]
    """at most one True in a column"""
    mean: Float32[Tensor, "K S"]
    """of the label, in [0, 1]"""
    variance: Float32[Tensor, "K S"]
    """of the label probability; 0 in determined regions"""
    probability: Float32[Tensor, "K S"]
    """in [0, 1]; columns and background add up to 1"""
    uncertainty: Float32[Tensor, " S"]
    """entropy over the possible owners, in [0, 1]"""
    determined: Bool[Tensor, " S"]
    """decided by a rule, without a posterior"""
    ignore: Bool[Tensor, " S"]
    """regions that no loss may use"""
    class_index: Int64[Tensor, " K"]
    """position in ``class_names``; -1 where nobody named a class"""
    row: Int64[Tensor, " K"]
    """place of each object among the rows of ``PseudoLabels``"""

    def to(self, device: torch.device | str) -> LabelledScan:
        """The same on another device."""
        values: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        for name, value in values.items():
            values[name] = value.to(device) if isinstance(value, Tensor) else value
        return LabelledScan(**values)


@dataclass(frozen=True, eq=False)
class LabelledBatch:
    """Several scans, one after the other; their labels stay apart, since objects of two scans never meet."""

    scans: tuple[LabelledScan, ...]

    def __len__(self) -> int:
        return len(self.scans)

    @cached_property
    def bounds(self) -> tuple[int, ...]:
        """The regions of scan b are ``bounds[b]:bounds[b + 1]`` of the batch's."""
        return (0, *accumulate(len(one.ignore) for one in self.scans))

    @cached_property
    def superpoint(self) -> Int64[Tensor, " N"]:
        """Region of each point, numbered over all scans."""
        return torch.cat([one.superpoint + start for one, start in zip(self.scans, self.bounds, strict=False)])

    @cached_property
    def scan_of_point(self) -> Int64[Tensor, " N"]:
        """0..B-1, rising."""
        lengths = torch.tensor([len(one.superpoint) for one in self.scans], device=self.superpoint.device)
        return torch.arange(len(self.scans), device=lengths.device).repeat_interleave(lengths)

    @cached_property
    def xyz(self) -> Float32[Tensor, "N 3"] | None:
        """Points of all scans; None where one has none."""
        return _joined([one.xyz for one in self.scans])

    @cached_property
    def color(self) -> Float32[Tensor, "N 3"] | None:
        """Colours of all scans; None where one has none."""
        return _joined([one.color for one in self.scans])

    def to(self, device: torch.device | str) -> LabelledBatch:
        """The same on another device."""
        return LabelledBatch(tuple(one.to(device) for one in self.scans))


def collate(scans: Sequence[LabelledScan]) -> LabelledBatch:
    """For ``DataLoader(..., collate_fn=collate)``."""
    return LabelledBatch(tuple(scans))


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    known = [one for one in parts if one is not None]
    return torch.cat(known) if known and len(known) == len(parts) else None


class _Place(NamedTuple):
    """Where a scan and its labels lie; any of both folders may be all there is."""

    scene: str
    labels: Path
    stored: Path | None
    """the scene's result in a run"""
    points: Path | None
    """a file of points"""


class LabelledScenes(Dataset[LabelledScan]):
    """The labelled scenes of a run or of a release, sorted by id.

    Files are opened when an item is asked for, in whatever process that is.
    """

    def __init__(
        self,
        run_or_release: str | Path,
        *,
        round: int | None = None,  # noqa: A002 (the command's word)
        split: str | None = None,
        scans: str | Path | None = None,
    ) -> None:
        """``round``: of self-training, by default the last; ``split``: train, val or test, by default all scenes.

        ``scans`` is a folder of <scene>.npz, .ply or .pcd with the points of a release, which may lack them; the order
        of points must be that of the labelled scan. Raises InputError for what is neither run nor release, for a round,
        split or folder that does not exist, and where no scene remains.
        """
        folder = Path(run_or_release).expanduser()
        points = None if scans is None else _point_files(Path(scans).expanduser())
        if (folder / LABELS).is_dir() and not (folder / "config.yaml").is_file():
            if round is not None:
                raise InputError(f"{folder} is a release, which holds one round: leave `round` out")
            places, splits = _of_release(folder, points), _release_splits(folder)
        else:
            results = results_of(str(folder), round)
            places, splits = _of_run(results, points), splits_of(results, None)
        self._places = places if split is None else _of_split(places, split, splits, folder)

    @property
    def scenes(self) -> tuple[str, ...]:
        """Ids in the order of the items."""
        return tuple(place.scene for place in self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[LabelledScan]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> LabelledScan:
        """Raises StoreError or SceneError where files are torn, or do not belong together."""
        place = self._places[index]
        if place.stored is not None and place.points is None:
            inputs = {"scenes": place.stored, "pseudo_labels": place.labels}
            labelled = read_labelled(SceneJob(place.scene, inputs), normals=False)
            return _item(labelled.labels, labelled.scene.xyz, labelled.scene.rgb)
        labels = PseudoLabels.open(place.labels)
        return _item(labels, *((None, None) if place.points is None else _points(place.points, labels)))


def _of_run(results: RunResults, points: Mapping[str, Path] | None) -> list[_Place]:
    found = []
    for scene in results.scenes():
        stored = results.of("scenes", scene)
        labels = results.of("pseudo_labels", scene)
        found.append(_Place(scene, labels, stored if stored.is_dir() else None, _chosen(points, scene)))
    return found


def _of_release(folder: Path, points: Mapping[str, Path] | None) -> list[_Place]:
    stores = sorted((folder / LABELS).glob(f"[!.]*{STORE}"))
    if not stores:
        raise InputError(f"{folder / LABELS} holds no labels (<scene>{STORE})")
    if points is None and (folder / SCANS).is_dir():
        points = _point_files(folder / SCANS)
    names = [(store.name.removesuffix(STORE), store) for store in stores]
    return [_Place(scene, store, None, _chosen(points, scene)) for scene, store in names]


def _chosen(points: Mapping[str, Path] | None, scene: str) -> Path | None:
    """The scan of a scene; raises InputError where a folder of scans lacks it."""
    if points is None:
        return None
    if scene not in points:
        raise InputError(f"`scans` has no file of scene {scene}: one of {', '.join(scene + one for one in SUFFIXES)}")
    return points[scene]


def _point_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}, the folder of scans, does not exist")
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}


def _release_splits(folder: Path) -> dict[str, list[str]]:
    """Split -> scenes, as the table of the release has them."""
    found: dict[str, list[str]] = {split: [] for split in SPLITS}
    if (folder / TABLE).is_file():
        with (folder / TABLE).open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                found.setdefault(row.get("split") or "", []).append(row["scene"])
    return found


def _of_split(places: Sequence[_Place], split: str, splits: Mapping[str, Sequence[str]], folder: Path) -> list[_Place]:
    """As in training: where nobody chose scenes for training, all that are in no other split are."""
    if split not in SPLITS:
        raise InputError(f"there is no split {split!r}; there are {', '.join(SPLITS)}")
    others = {scene for name in SPLITS[1:] for scene in splits[name]}
    wanted = set(splits[split])
    if split == SPLITS[0] and not wanted:
        wanted = {place.scene for place in places} - others
    chosen = [place for place in places if place.scene in wanted]
    if not chosen:
        raise InputError(f"no labelled scene of {folder} is in split {split}; leave `split` out for all scenes")
    return chosen


def _points(path: Path, labels: PseudoLabels) -> tuple[np.ndarray, np.ndarray | None]:
    """Coordinates and colours of a file; raises SceneError where it is not the scan of the labels."""
    arrays = (read_npz(path, "boxes") if path.suffix.lower() == ".npz" else read_open3d(path)).arrays
    xyz, rgb = arrays["xyz"], arrays.get("rgb")
    if len(xyz) != len(labels.superpoint):
        raise SceneError(
            f"{path} has {len(xyz)} points, the labels of scene {labels.scene} are of {len(labels.superpoint)}: take "
            "the very file that was labelled"
        )
    return relative(xyz, offset_of(xyz)), rgb


def _item(
    labels: PseudoLabels, xyz: Float32[np.ndarray, "N 3"] | None, rgb: UInt8[np.ndarray, "N 3"] | None
) -> LabelledScan:
    """Everything as tensors, points without a region and objects without one left out."""
    kept = labels.superpoint >= 0
    objects = labels.mask.any(axis=1)
    found = region_labels(labels)
    row = torch.from_numpy(np.flatnonzero(objects))
    return LabelledScan(
        scene=labels.scene,
        class_names=labels.class_names,
        point=torch.from_numpy(np.flatnonzero(kept)),
        xyz=None if xyz is None else torch.from_numpy(xyz[kept]),
        color=None if rgb is None else torch.from_numpy(rgb[kept] / np.float32(127.5) - np.float32(1)),
        superpoint=torch.from_numpy(labels.superpoint[kept].astype(np.int64)),
        mask=found.mask[row],
        mean=found.mean[row],
        variance=found.variance[row],
        probability=torch.from_numpy(labels.probability[objects]),
        uncertainty=torch.from_numpy(labels.uncertainty.copy()),
        determined=found.determined,
        ignore=found.ignore,
        class_index=found.class_index[row],
        row=row,
    )

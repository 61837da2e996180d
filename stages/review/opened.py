"""The scenes of a run as the review page shows them: read from their stores, checked, and kept a while."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np

from pipeline.errors import StoreError
from pipeline.results import RunResults
from pipeline.store import fingerprint_of, read_arrays, read_manifest
from stages.pseudo_labels.labels import PseudoLabels
from stages.pseudo_labels.store import read_labels
from stages.review.packing import MOST_POINTS, pack, quantised, region_means, shown_points, small_normals
from stages.review.queue import around, expected_gain, present_owners, region_points, review_order
from stages.stores import read_scene
from stages.structures import LabelSource
from stages.typing import Bool, Float32, Float64, Int32, Int64, UInt8

_KEPT = 2
"""scenes that stay in memory: one in each of two tabs"""


@dataclass(frozen=True)
class Fingerprints:
    """Of the results that a scene's page is made of."""

    superpoints: str
    labels: str


@dataclass(frozen=True, eq=False)
class OpenScene:
    """One scene with its labels and its region graph; N points, S regions, K boxes."""

    fingerprints: Fingerprints
    labels: PseudoLabels
    xyz: Float32[np.ndarray, "N 3"]
    rgb: UInt8[np.ndarray, "N 3"] | None
    normal: Float32[np.ndarray, "N 3"]
    indptr: Int64[np.ndarray, " S_plus_1"]
    neighbor: Int32[np.ndarray, " E"]
    most_points: int

    @cached_property
    def points(self) -> Int64[np.ndarray, " S"]:
        """Number of points of each region."""
        return region_points(self.labels.superpoint, len(self.labels.source))

    @cached_property
    def owner(self) -> Int32[np.ndarray, " S"]:
        """The present owner of each region, -1 for background."""
        return present_owners(self.labels.mask)

    @cached_property
    def gain(self) -> Float64[np.ndarray, " S"]:
        """What share of an object a look at each region is expected to put right."""
        return expected_gain(self.labels.probability, self.labels.mask, self.points)

    @cached_property
    def by_human(self) -> Bool[np.ndarray, " S"]:
        """Regions that these labels have from a person."""
        return self.labels.source == LabelSource.HUMAN

    @cached_property
    def shown(self) -> Int64[np.ndarray, " M"]:
        """The points that the page gets at first."""
        return shown_points(self.labels.superpoint, self.most_points)

    @property
    def thinned(self) -> bool:
        """Whether the page gets only a sample of the points at first."""
        return len(self.shown) < int(self.points.sum())

    def packed_points(self) -> bytes:
        """All points that are shown."""
        return self._packed(self.shown)

    def packed_around(self, regions: Int32[np.ndarray, " C"]) -> bytes:
        """Every point of some regions and of those that touch them."""
        wanted = np.zeros(len(self.points) + 1, bool)  # the last one for points without a region (-1)
        wanted[regions] = True
        wanted[around(regions, self.indptr, self.neighbor)] = True
        return self._packed(np.flatnonzero(wanted[self.labels.superpoint]))

    def packed_regions(self) -> bytes:
        """What the page knows of every region, and the queue."""
        labels = self.labels
        centre = region_means(self.xyz, labels.superpoint, self.points)
        arrays = {
            "owner": self.owner,
            "points": self.points.astype(np.uint32),
            "uncertainty": labels.uncertainty,
            "source": labels.source,
            "contested": labels.contested,
            "centre": centre,
            "normal": region_means(self.normal, labels.superpoint, self.points),
            "gain": self.gain.astype(np.float32),
            "queue": review_order(self.gain),
        }
        return pack({}, arrays)

    def _packed(self, places: Int64[np.ndarray, " M"]) -> bytes:
        xyz, low, side = quantised(self.xyz[places])
        arrays = {"xyz": xyz, "region": self.labels.superpoint[places], "normal": small_normals(self.normal[places])}
        if self.rgb is not None:
            arrays["rgb"] = self.rgb[places]
        return pack({"low": low.tolist(), "side": side.tolist()}, arrays)


class OpenScenes:
    """Opens scenes when they are asked for, anew where their results have changed; for several threads."""

    def __init__(self, results: RunResults, most_points: int = MOST_POINTS) -> None:
        self.results = results
        self._most_points = most_points
        self._kept: OrderedDict[tuple[str, Fingerprints], OpenScene] = OrderedDict()
        self._lock = Lock()

    def fingerprints(self, scene: str) -> Fingerprints:
        """Those of the results on disk now; raises StoreError where the scene cannot be reviewed at present."""
        found = {stage: fingerprint_of(self.results.of(stage, scene)) for stage in ("superpoints", "pseudo_labels")}
        missing = [stage for stage, fingerprint in found.items() if fingerprint is None]
        superpoints, labels = found["superpoints"], found["pseudo_labels"]
        if superpoints is None or labels is None:
            raise StoreError(
                f"scene {scene} has no complete result of {' and '.join(missing)} now: where a run is still going, "
                "wait for its end; else finish it with boxgp run"
            )
        return Fingerprints(superpoints, labels)

    def open(self, scene: str) -> OpenScene:
        """One scene as it is on disk now; raises StoreError where it cannot be reviewed at present."""
        now = self.fingerprints(scene)
        with self._lock:  # opening a scene twice at once would take twice its memory
            kept = self._kept.get((scene, now)) or self._read(scene, now)
            self._kept[scene, now] = kept
            self._kept.move_to_end((scene, now))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return kept

    def _read(self, scene: str, now: Fingerprints) -> OpenScene:
        place = self.results.of("pseudo_labels", scene)
        made_of = read_manifest(place).get("inputs", {}).get("superpoints", now.superpoints)
        if made_of != now.superpoints:
            raise StoreError(
                f"the labels of scene {scene} were made from other regions than {self.results.of_stage('superpoints')} "
                "holds now: where a run is still going, wait for its end; else finish it with boxgp run"
            )
        labels = read_labels(place)
        stored = read_scene(self.results.of("scenes", scene))
        graph, _ = read_arrays(self.results.of("superpoints", scene))
        if len(stored.xyz) != len(labels.superpoint) or self.fingerprints(scene) != now:
            raise StoreError(f"the results of scene {scene} are being replaced: wait for the end of the run")
        return OpenScene(
            fingerprints=now,
            labels=labels,
            xyz=stored.xyz,
            rgb=stored.rgb,
            normal=graph["normal"],
            indptr=graph["indptr"],
            neighbor=graph["neighbor"],
            most_points=self._most_points,
        )

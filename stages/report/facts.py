"""What a report is about, gathered from the results of a run and free of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stages.evaluation.records import SceneEvaluation
from stages.report.regions import ObjectFacts, Regions, mean_uncertainty
from stages.typing import Int64

BINS = 20
"""of the histograms of uncertainty, over [0, 1]"""


@dataclass(frozen=True, eq=False)
class SceneFacts:
    """One labelled scene; figures are NaN where they are not known."""

    scene: str
    points: int
    regions: int
    objects: tuple[ObjectFacts, ...]
    contested_share: float
    """of the points with a region"""
    uncertainty: float
    """mean over the points of contested and of owned regions"""
    mean_iou: float
    histogram: Int64[np.ndarray, "3 bins"]
    """points of determined, overlap and background regions by uncertainty"""


@dataclass(frozen=True)
class History:
    """How results came to be, from their manifests."""

    started: str = ""
    """when the first was begun, in UTC, to the minute; empty where nothing says so"""
    ended: str = ""
    commits: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    """of Python, boxgp and what it computes with"""
    stages: Mapping[str, int] = field(default_factory=dict)
    """stage -> version"""
    seconds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """stage -> of each scene, of the whole data set for a stage over all scenes"""


@dataclass(frozen=True)
class ChangedOption:
    """An option of the configuration that is not at its default."""

    key: str
    value: str
    default: str


@dataclass(frozen=True)
class ReviewLine:
    """Label AP by the number of regions a scene that are replaced by the truth."""

    name: str
    counts: tuple[int, ...]
    ap: tuple[float, ...]
    deviation: tuple[float, ...] = ()
    """standard deviation over seeds, where the line is a mean over them"""


@dataclass(frozen=True, eq=False)
class RunFacts:
    """All that a page says."""

    name: str
    round: int
    labelled: int
    """scenes of the run with labels, whether they are on the page or not"""
    source: str
    """where the scans came from (``scenes.source``), empty where the configuration does not say"""
    scenes: Sequence[SceneFacts]
    evaluations: Mapping[int, Sequence[SceneEvaluation]]
    """of each round up to this one that has any"""
    history: History
    options: Sequence[ChangedOption]
    unfinished: Sequence[str]
    """scenes that were read but have no labels and did not fail either"""
    problems: Sequence[tuple[str, str]]
    """what failed: (scene, why)"""
    review: Sequence[ReviewLine]
    predictions: str
    """the table of the network's scores, empty without a network"""
    views: Sequence[Mapping[str, Any]]

    @property
    def built_in(self) -> bool:
        """True for the rooms that boxgp makes up: nobody's scans."""
        return self.source == "rooms"

    @property
    def objects(self) -> list[ObjectFacts]:
        """The objects of all scenes."""
        return [one for scene in self.scenes for one in scene.objects]


def scene_facts(scene: str, regions: Regions, objects: Sequence[ObjectFacts]) -> SceneFacts:
    """The facts of one scene."""
    bins = np.minimum((np.clip(regions.uncertainty, 0, 1) * BINS).astype(np.int64), BINS - 1)
    cell = regions.contested.astype(np.int64) * BINS + bins
    histogram = np.bincount(cell, weights=regions.points, minlength=3 * BINS).astype(np.int64).reshape(3, BINS)
    points = int(regions.points.sum())
    known = np.array([one.iou for one in objects if not np.isnan(one.iou)])
    return SceneFacts(
        scene=scene,
        points=points,
        regions=len(regions.points),
        objects=tuple(objects),
        contested_share=float(histogram[1:].sum() / max(points, 1)),
        uncertainty=mean_uncertainty(regions, (regions.contested > 0) | (regions.owner >= 0)),
        mean_iou=float(known.mean()) if len(known) else float("nan"),
        histogram=histogram,
    )


def scenes_to_view(scenes: Sequence[SceneFacts], most: int) -> list[str]:
    """At most ``most`` scenes, in their order: of too many the worst, the most uncertain, and some spread evenly."""
    if len(scenes) <= most:
        return [one.scene for one in scenes]
    worst = sorted(scenes, key=lambda one: (np.nan_to_num(one.mean_iou, nan=2.0), one.scene))
    doubtful = sorted(scenes, key=lambda one: (-np.nan_to_num(one.uncertainty, nan=-1.0), one.scene))
    third = most // 3
    chosen = {one.scene for one in (*worst[:third], *doubtful[:third])}
    others = [one.scene for one in scenes if one.scene not in chosen]
    chosen |= {others[place] for place in np.linspace(0, len(others) - 1, most - len(chosen)).astype(int)}
    return [one.scene for one in scenes if one.scene in chosen]


def smallest_box_iou(evaluations: Sequence[SceneEvaluation]) -> list[float]:
    """IoU of every object if each point belonged to the smallest box around it."""
    rows = [one.truth.objects.smallest_box_iou[0] for one in evaluations if one.truth is not None]
    values: list[float] = np.concatenate(rows).tolist() if rows else []
    return values

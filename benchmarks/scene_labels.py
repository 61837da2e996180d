"""From scans to problems, and from their solutions to labels and their quality, as the stages do it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.tables import timed
from benchmarks.workload import Partitioned, Scan
from stages.evaluation.label_quality import label_ap
from stages.evaluation.scene import evaluate_scene
from stages.posteriors.assemble import assemble
from stages.posteriors.determine import leave_to_posterior
from stages.posteriors.engines.base import Link, PairProblem, PairSolution
from stages.posteriors.graph.field import GraphPosterior
from stages.posteriors.infer import Prepared, prepare
from stages.posteriors.problems import Pair
from stages.pseudo_labels.build import build_labels
from stages.structures import PairPosteriors
from stages.typing import Bool, Int64


@dataclass(frozen=True, eq=False)
class Problems:
    """Every scene up to the point where an engine takes over."""

    prepared: list[Prepared]
    pairs: list[list[Pair]]
    seconds: float
    """wall clock of candidates, evidence, determined regions and pairs of all scenes"""

    @property
    def scenes(self) -> list[list[PairProblem]]:
        """The binary problems of each scene."""
        return [[pair.problem for pair in pairs if pair.problem is not None] for pairs in self.pairs]

    def contested(self) -> list[Bool[np.ndarray, " S"]]:
        """Regions of each scene that the pairs contest."""
        return [one.ownership.owner < 0 for one in self.prepared]


@dataclass(frozen=True, eq=False)
class Answers:
    """What an engine made of all scenes."""

    ap: float
    """label AP, over the objects of all scenes"""
    ap50: float
    owner: list[Int64[np.ndarray, " S"]]
    """object of each region by scene, -1 for none"""


def problems_of(partitioned: Partitioned) -> Problems:
    """The problems of all scenes."""
    with timed() as seconds:
        prepared = [prepare(scan.scene, scan.superpoints, partitioned.posteriors) for scan in partitioned.scans]
        pairs = [
            one.pairs(scan.features, partitioned.posteriors)
            for one, scan in zip(prepared, partitioned.scans, strict=True)
        ]
    return Problems(prepared, pairs, seconds.wall)


def answers_of_pairs(
    partitioned: Partitioned, problems: Problems, link: Link, solutions: Sequence[Sequence[PairSolution]]
) -> Answers:
    """Labels of all scenes by the solutions of their pairs, against the truth."""

    def posteriors() -> Iterator[PairPosteriors]:
        for prepared, pairs, solved in zip(problems.prepared, problems.pairs, solutions, strict=True):
            rest = iter(solved)
            every = [None if pair.problem is None else next(rest) for pair in pairs]
            order = prepared.view.order
            yield assemble(prepared.ownership, pairs, every, order, link, "benchmark", prepared.faces)

    return _answers(partitioned, posteriors())


def answers_of_graphs(partitioned: Partitioned, problems: Problems, solutions: Sequence[GraphPosterior]) -> Answers:
    """The same by joint posteriors."""

    def posteriors() -> Iterator[PairPosteriors]:
        for prepared, joint in zip(problems.prepared, solutions, strict=True):
            ownership = leave_to_posterior(prepared.ownership)
            yield assemble(ownership, [], [], prepared.view.order, "identity", "graph", prepared.faces, joint)

    return _answers(partitioned, posteriors())


def _answers(partitioned: Partitioned, posteriors: Iterator[PairPosteriors]) -> Answers:
    owner, iou = [], [np.zeros(0)]
    for scan, found in zip(partitioned.scans, posteriors, strict=True):
        labels = build_labels(scan.scene, scan.superpoints, found, partitioned.fusion)
        evaluation = evaluate_scene(scan.scene, scan.superpoints.superpoint, len(scan.superpoints), labels)
        if evaluation.truth is not None:
            iou.append(evaluation.truth.objects.iou[0])
        owner.append(np.where(labels.mask.any(axis=0), labels.mask.argmax(axis=0), -1))
    quality = label_ap(np.concatenate(iou))
    return Answers(quality.ap, quality.ap50, owner)


def agreement(
    scans: Sequence[Scan], contested: Sequence[Bool[np.ndarray, " S"]], first: Answers, second: Answers
) -> float:
    """Share of the points in ``contested`` regions that both give to the same object, or to none."""
    same = points = 0
    for scan, mine, one, other in zip(scans, contested, first.owner, second.owner, strict=True):
        superpoint = scan.superpoints.superpoint
        size = np.bincount(superpoint[superpoint >= 0], minlength=len(mine)) * mine
        same, points = same + int(size[one == other].sum()), points + int(size.sum())
    return same / max(points, 1)

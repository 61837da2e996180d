"""Do the labels drift between rounds, and does it look like collapse? Needs no ground truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.evaluation.drift import SceneDrift
from stages.evaluation.records import SceneEvaluation
from stages.structures import LabelSource
from stages.typing import Int64

LOST_OBJECTS = 0.1
"""Share of objects that lost three quarters of their points from which on labels look like a collapse. A network that
learns improves borders: in usual second rounds no object loses so much."""
FEW_OBJECTS = 3
"""So many have to be lost at least: one or two unlucky objects of a small run say nothing about it."""
FOREGROUND_FACTOR = 2.0
"""A collapse where the points of objects became so many times fewer or more: boxes, which never change, decide how
much of their points is object, so that this share moves by a few hundredths in usual rounds."""
CHANGED = 0.2
"""Share of points with another owner that is a collapse where ``UNCERTAINTY_FACTOR`` holds as well. Growing sure is
what rounds are for, and a few points in a hundred change owners; growing sure of something else altogether is a network
that confirms itself."""
UNCERTAINTY_FACTOR = 0.5
"""What is left of the mean uncertainty, at most, where labels grew sure of something else."""
_WORST = 5
"""scenes that an alarm names"""
_ADVICE = (
    "Compare the masks of these scenes with those of the round before. Where they got worse, lower "
    "posteriors.network_weight (0: the network has no say), set training.initial to scratch, train longer "
    "(training.steps), or run fewer rounds"
)


@dataclass(frozen=True)
class DriftFigures:
    """Labels of this round beside those of the round before; shares are of the points that lie in some box."""

    scenes: int
    points: int
    source_share_before: Mapping[str, float]
    """as Figures.source_share: of all points with a region"""
    foreground_before: float
    """share of points that some object owned"""
    foreground: float
    uncertainty_before: float
    """mean over the points"""
    uncertainty: float
    changed: float
    """share of points with another owner: the sum of the next three"""
    object_to_object: float
    object_to_background: float
    background_to_object: float
    objects: int
    """objects with points in the round before"""
    halved: int
    """objects that lost more than half of their points, the next ones included"""
    mostly_lost: int
    """objects that lost at least three quarters of their points, the next ones included"""
    vanished: int


def percent(share: float) -> str:
    """A share as a percentage with one digit."""
    return f"{100 * share:.1f} %"


def shares_by_source(points: Int64[np.ndarray, " sources"]) -> dict[str, float]:
    """The share of each source that decided any point, by its name."""
    total = max(int(points.sum()), 1)
    return {member.name.lower(): float(points[member] / total) for member in LabelSource if points[member]}


def pool_drift(scenes: Sequence[SceneEvaluation]) -> DriftFigures | None:
    """The drift over all scenes that a round before is known of, None where there is no such scene."""
    known = [(scene, scene.drift) for scene in scenes if scene.drift is not None]
    if not known:
        return None
    points = sum(scene.owners.boxed_points for scene, _ in known)
    drifts = [drift for _, drift in known]
    before = np.concatenate([drift.points_before for drift in drifts])
    now = np.concatenate([drift.points_now for drift in drifts])
    total = max(points, 1)
    moved = [sum(one) for one in zip(*((d.to_object, d.to_background, d.from_background) for d in drifts), strict=True)]
    return DriftFigures(
        scenes=len(known),
        points=points,
        source_share_before=shares_by_source(np.sum([drift.source_points_before for drift in drifts], axis=0)),
        foreground_before=float(before.sum()) / total,
        foreground=float(now.sum()) / total,
        uncertainty_before=sum(drift.uncertainty_before * scene.owners.boxed_points for scene, drift in known) / total,
        uncertainty=sum(scene.owners.uncertainty * scene.owners.boxed_points for scene, _ in known) / total,
        changed=sum(moved) / total,
        object_to_object=moved[0] / total,
        object_to_background=moved[1] / total,
        background_to_object=moved[2] / total,
        objects=int((before > 0).sum()),
        halved=int(((before > 0) & (2 * now < before)).sum()),
        mostly_lost=_mostly_lost(before, now),
        vanished=int(((before > 0) & (now == 0)).sum()),
    )


def collapse(figures: DriftFigures | None, scenes: Sequence[SceneEvaluation]) -> tuple[str, ...]:
    """What in the drift of ``scenes`` looks like a collapse: what was seen, where, and what to do.

    An alarm where more than ``LOST_OBJECTS`` of the objects, and ``FEW_OBJECTS`` of them, lost three quarters of their
    points; where labelled foreground grew or shrank by ``FOREGROUND_FACTOR``; and where more than ``CHANGED`` of the
    points changed owner while uncertainty fell to ``UNCERTAINTY_FACTOR``.
    """
    if figures is None or not figures.points:
        return ()
    seen = []
    if figures.mostly_lost >= FEW_OBJECTS and figures.mostly_lost > LOST_OBJECTS * figures.objects:
        share = 100 * figures.mostly_lost / figures.objects
        seen.append(
            f"{figures.mostly_lost} of {figures.objects} objects ({share:.0f} %) lost at least three quarters of their "
            f"points, {figures.vanished} of them all ({_worst(scenes, _objects_lost, 'objects')})"
        )
    low, high = sorted((figures.foreground_before, figures.foreground))
    if FOREGROUND_FACTOR * low <= high and high > 0:
        seen.append(
            f"objects own {percent(figures.foreground)} of the points in boxes, {percent(figures.foreground_before)} "
            f"before ({_worst(scenes, _foreground_moved, 'points')})"
        )
    surer = 0 < figures.uncertainty_before >= figures.uncertainty / UNCERTAINTY_FACTOR
    if figures.changed > CHANGED and surer:
        seen.append(
            f"{percent(figures.changed)} of the points in boxes changed their owner while the mean uncertainty fell "
            f"from {figures.uncertainty_before:.3f} to {figures.uncertainty:.3f} ({_worst(scenes, _moved, 'points')})"
        )
    if not seen:
        return ()
    return (f"the labels look like a collapse: since the round before, {'; '.join(seen)}. {_ADVICE}",)


def _mostly_lost(before: Int64[np.ndarray, " K"], now: Int64[np.ndarray, " K"]) -> int:
    return int(((before > 0) & (4 * now <= before)).sum())


def _objects_lost(drift: SceneDrift) -> int:
    return _mostly_lost(drift.points_before, drift.points_now)


def _foreground_moved(drift: SceneDrift) -> int:
    return abs(int(drift.points_now.sum() - drift.points_before.sum()))


def _moved(drift: SceneDrift) -> int:
    return drift.to_object + drift.to_background + drift.from_background


def _worst(scenes: Sequence[SceneEvaluation], badness: Callable[[SceneDrift], int], unit: str) -> str:
    """The scenes with the largest ``badness``, the worst first."""
    rated = [(-badness(scene.drift), scene.scene) for scene in scenes if scene.drift is not None]
    worst = [f"{name}: {-bad:,} {unit}" for bad, name in sorted(rated)[:_WORST] if bad]
    return f"worst in {'; '.join(worst)}"

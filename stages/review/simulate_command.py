"""``boxgp evaluate --simulate-review``: what correcting doubtful labels would gain, told by the truth."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError, InputError, StoreError
from pipeline.results import RunResults, results_of
from pipeline.show import count, table

if TYPE_CHECKING:
    from pipeline.commands import Stages
    from stages.review.simulate import Quality, ReviewCurve, ReviewScene


def evaluate(arguments: argparse.Namespace, stages: Stages) -> int:  # noqa: ARG001 (the results say all)
    """Prints label AP after so many regions of each scene were replaced by the truth; returns the exit code.

    Raises ConfigurationError for numbers that are none, and InputError where there are no labels or no truth.
    """
    counts = _counts(arguments.simulate_review)
    results = results_of(arguments.run, arguments.round)
    curve = curve_of_run(results, counts)
    if curve is None:
        raise InputError(
            f"{results.folder}: no scan has ground-truth instances that boxes annotate; without them nobody can tell "
            "what a review gains"
        )
    print(json.dumps(asdict(curve), indent=1) if arguments.json else listing(curve))
    return 0


def curve_of_run(results: RunResults, counts: Sequence[int]) -> ReviewCurve | None:
    """The curve over all labelled scenes with boxes whose instance is known, None where there is none.

    Raises StoreError where labels and scan do not belong together.
    """
    from stages.review.simulate import review_curve

    scenes = [found for scene in results.scenes() if (found := _scene(results, scene)) is not None]
    return review_curve(scenes, counts) if scenes else None


def _scene(results: RunResults, scene: str) -> ReviewScene | None:
    from stages.evaluation.boxes import extents
    from stages.evaluation.label_quality import instances_of_boxes
    from stages.evaluation.overlap import points_in_instances
    from stages.evaluation.scene import known_truth
    from stages.pseudo_labels.store import read_labels
    from stages.review.queue import expected_gain, region_points
    from stages.review.simulate import ReviewScene
    from stages.stores import read_scene

    scan, folder = read_scene(results.of("scenes", scene)), results.of("pseudo_labels", scene)
    truth = known_truth(scan)
    if truth is None:
        return None
    labels = read_labels(folder)
    if len(labels.superpoint) != len(scan):
        raise StoreError(f"{folder} has {len(labels.superpoint)} points, the scan {len(scan)}: finish with boxgp run")
    instances = len(truth.counts)
    corners = extents(scan.xyz, truth.instance, instances)
    instance, _ = instances_of_boxes(labels.boxes.instance, labels.boxes.corners, corners, truth.counts)
    if not (instance >= 0).any():
        return None
    counts = points_in_instances(labels.superpoint, truth.instance, labels.mask.shape[1], instances)
    gain = expected_gain(labels.probability, labels.mask, region_points(labels.superpoint, labels.mask.shape[1]))
    return ReviewScene(labels.mask, labels.contested, labels.ignore, labels.uncertainty, gain, counts, instance)


def _counts(text: str) -> list[int]:
    numbers = [part.strip() for part in text.split(",")]
    if not all(number.isdecimal() and int(number) > 0 for number in numbers):
        raise ConfigurationError(f"--simulate-review {text!r}: give numbers of regions from 1 on, as in 5,10,20")
    return sorted({int(number) for number in numbers})


def listing(curve: ReviewCurve) -> str:
    """The curve as two tables for people."""
    scenes, objects = count(curve.scenes, "scene"), count(curve.objects, "object")
    return "\n\n".join(
        [
            f"{scenes} with truth, {objects}, {count(curve.contested, 'contested region')}; "
            "the truth replaces K of them in each scene",
            _quality_table(curve, "label AP", lambda quality: quality.ap),
            _quality_table(curve, "mean IoU", lambda quality: quality.mean_iou),
            "K all: every contested region; queue: by the share of an object that a look is expected to put right; "
            f"random: mean and standard deviation of {curve.seeds} seeds",
        ]
    )


def _quality_table(curve: ReviewCurve, name: str, of: Callable[[Quality], float]) -> str:
    """One row for each number of regions: the quality, and what it gains over the labels as they are."""

    def cell(quality: Quality) -> str:
        return f"{of(quality):.4f} {of(quality) - of(curve.before):+.4f}"

    header = [f"K ({name})", "regions", "most uncertain", "first in the queue", "random", "least uncertain"]
    rows = [["0", 0, *[f"{of(curve.before):.4f}"] * 4]]
    for step in curve.steps:
        random = f"{cell(step.random)} ± {of(step.random_deviation):.4f}"
        orders = cell(step.most_uncertain), cell(step.largest_gain), random, cell(step.least_uncertain)
        rows.append([str(step.count), step.regions, *orders])
    rows.append(["all", curve.contested, *[cell(curve.everything)] * 4])
    return table(header, rows)

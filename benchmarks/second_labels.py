"""What a network is worth to the labels of the round after, by every way to use its masks and its deep features.

    python -m benchmarks.second_labels RUN [RUN ...] [--json FILE]

Each RUN is the folder of a run that trained a network in its first round. The second round's labels of its training
rooms are made anew from what the run has stored, without training; differences are paired over rooms.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.runs import about
from benchmarks.tables import number, table, write_json
from stages.evaluation.label_quality import label_ap
from stages.evaluation.scene import evaluate_scene
from stages.features.deep import components, fitting, varying, with_deep_features
from stages.inference.records import Predictions
from stages.posteriors.config import PosteriorsConfig
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.infer import conclude, prepare, solve_pairs
from stages.pseudo_labels.build import build_labels
from stages.stores import read_features, read_predictions, read_scene, read_superpoints
from stages.structures import RegionFeatures, Scene, Superpoints
from stages.typing import Float64

WEIGHTS = (0.25, 0.5, 0.75, 1.0)
LENGTHS = (0.25, 0.5, 1.0, 2.0)
PAIRS = {"engine": "laplace"}
NOTHING, NOTHING_PAIRS = "nothing", "a GP a pair: nothing"
MEASURES = ("ap", "ap50", "ap90", "mean_iou")
SHOWN = ("ap", "mean_iou")
"""Measures whose differences the table shows."""


@dataclass(frozen=True, eq=False)
class Room:
    """One training room as the second round finds it."""

    scene: Scene
    superpoints: Superpoints
    features: RegionFeatures
    """of the first round: position, colour, normal"""
    predictions: Predictions


Description = Callable[[Room], Float64[np.ndarray, "S D"]]
"""What is compared of regions, from the network's features and others."""


@dataclass(frozen=True)
class Way:
    """One way to use a network."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """of the section ``posteriors``; the masks have no weight unless it says so"""
    affinity: tuple[Description, float] | None = None
    """what lowers affinities of regions, and at which length scale"""
    compared: Description | None = None
    """what Gaussian Processes of pairs compare; None: the features of the first round"""
    reference: str = NOTHING
    """the way that it is compared with"""


def raw(room: Room) -> Float64[np.ndarray, "S D"]:
    """Deep features, centred and times one number."""
    return fitting(varying(room.predictions.region_feature))


def standardised(room: Room) -> Float64[np.ndarray, "S D"]:
    """Deep features, every column of the same variance; constant ones stay 0."""
    centred = varying(room.predictions.region_feature)
    deviation = np.sqrt(np.square(centred).sum(axis=0))
    return fitting(centred / np.where(deviation > 0, deviation, 1.0))


def pca(room: Room) -> Float64[np.ndarray, "S C"]:
    """The leading principal components of deep features."""
    return fitting(components(varying(room.predictions.region_feature)))


def beside(weight: float) -> Description:
    """Position, colour, normal, and ``weight`` times the principal components."""
    return lambda room: with_deep_features(room.features, room.predictions.region_feature, weight).feature.astype(
        np.float64
    )


def measured(room: Room) -> Float64[np.ndarray, "S D"]:
    """Position, colour and normal alone: what the same use of features gains without a network."""
    return room.features.feature.astype(np.float64)


DEEP: dict[str, Description] = {
    "deep features, raw": raw,
    "deep features, standardised": standardised,
    "deep features, principal components": pca,
    "position, colour, normal and components": beside(1.0),
}


def ways() -> dict[str, Way]:
    """All ways by name, the references first."""
    default = PosteriorsConfig().network_weight
    found = {NOTHING: Way(), NOTHING_PAIRS: Way(PAIRS, reference=NOTHING_PAIRS)}
    found |= {f"masks, weight {weight:g}": Way({"network_weight": weight}) for weight in WEIGHTS}
    for name, description in {**DEEP, "position, colour, normal (no network)": measured}.items():
        found |= {f"affinity by {name}, length {one:g}": Way(affinity=(description, one)) for one in LENGTHS}
    for name, description in DEEP.items():
        found[f"masks, weight {default:g}, and affinity by {name}, length 0.5"] = Way(
            {"network_weight": default}, affinity=(description, 0.5)
        )
    found[f"a GP a pair: masks, weight {default:g}"] = Way(
        {**PAIRS, "network_weight": default}, reference=NOTHING_PAIRS
    )
    for name, description in {**DEEP, "position, colour, normal and half of the components": beside(0.5)}.items():
        found[f"a GP a pair: {name}"] = Way(PAIRS, compared=description, reference=NOTHING_PAIRS)
    return found


def with_affinity(superpoints: Superpoints, compared: Float64[np.ndarray, "S D"], length: float) -> Superpoints:
    """The graph of regions with affinities times exp(-|d_u - d_v|^2 / (2 l^2)), d what is compared."""
    first = np.repeat(np.arange(len(superpoints)), np.diff(superpoints.indptr))
    distance = np.square(compared[first] - compared[superpoints.neighbor]).sum(axis=1)
    kernel = np.exp(-distance / (2.0 * length**2))
    return replace(superpoints, affinity=(superpoints.affinity * kernel).astype(np.float32))


def rooms_of(run: Path) -> list[Room]:
    """The training rooms of a run; raises SystemExit where its first round has no predictions."""
    first = run / "round_00"
    if not (first / "inference").is_dir():
        raise SystemExit(f"{run} has no predictions of a first round: give the folder of a run with training.network")
    splits = yaml.safe_load((run / "config.yaml").read_text())["splits"]
    held_out = {*splits["val"], *splits["test"]}
    return [
        Room(
            read_scene(run / "scenes" / folder.name),
            read_superpoints(run / "superpoints" / folder.name),
            read_features(first / "features" / folder.name),
            read_predictions(folder),
        )
        for folder in sorted((first / "inference").iterdir())
        if not folder.name.startswith(".") and folder.name not in held_out
    ]


def overlaps(room: Room, way: Way) -> Float64[np.ndarray, " K"]:
    """Intersection over union of each object's label with its instance, as the evaluation defines it."""
    config = PosteriorsConfig.model_validate({"network_weight": 0.0, **way.settings})
    superpoints, features = room.superpoints, room.features
    if way.affinity is not None:
        description, length = way.affinity
        superpoints = with_affinity(superpoints, description(room), length)
    if way.compared is not None:
        feature = way.compared(room).astype(np.float32)
        features = RegionFeatures(feature, tuple(f"{index}" for index in range(feature.shape[1])), "")
    prepared = prepare(room.scene, superpoints, config, room.predictions)
    engine = LaplaceEngine(learn=config.learn) if config.engine == "laplace" else None
    pairs = prepared.pairs(features, config) if engine else []
    (solutions,) = solve_pairs([pairs], engine)
    labels = build_labels(room.scene, superpoints, conclude(prepared, config, engine, pairs, solutions), "coupling")
    truth = evaluate_scene(room.scene, superpoints.superpoint, len(superpoints), labels).truth
    return np.zeros(0) if truth is None else truth.objects.iou[0]


def quality(iou: Float64[np.ndarray, " objects"]) -> dict[str, float]:
    """The MEASURES of some objects."""
    found = label_ap(iou)
    return {name: float(getattr(found, name)) for name in MEASURES}


def paired(
    mine: Sequence[Float64[np.ndarray, " K"]], other: Sequence[Float64[np.ndarray, " K"]]
) -> dict[str, tuple[float, float]]:
    """Mean difference over rooms and its standard error, by measure; rooms without known objects are left out."""
    difference = np.array(
        [
            [quality(one)[name] - quality(two)[name] for name in MEASURES]
            for one, two in zip(mine, other, strict=True)
            if not np.isnan(one).all()
        ]
    ).reshape(-1, len(MEASURES))
    rooms = len(difference)
    if rooms < 2:
        raise SystemExit("differences need two rooms with known objects at least")
    error = difference.std(axis=0, ddof=1) / np.sqrt(rooms)
    return {name: (float(difference[:, i].mean()), float(error[i])) for i, name in enumerate(MEASURES)}


def measure(run: Path, chosen: Mapping[str, Way]) -> dict[str, Any]:
    """Figures of every way, with the noise of the run's boxes."""
    rooms = rooms_of(run)
    noise = yaml.safe_load((run / "config.yaml").read_text())["scenes"]["noise"]
    found = {name: [overlaps(room, way) for room in rooms] for name, way in chosen.items()}
    return {
        "noise": {name: amount for name, amount in noise.items() if amount},
        "rooms": len(rooms),
        "objects": int(sum((~np.isnan(one)).sum() for one in found[NOTHING])),
        "ways": {
            name: quality(np.concatenate(iou)) | {"difference": paired(iou, found[chosen[name].reference])}
            for name, iou in found.items()
        },
    }


def rendered(content: Mapping[str, Any]) -> str:
    """One table a run; differences are to ``nothing`` of the same engine."""
    header = ["of the network", "AP", "AP50", "AP90", "mean IoU", "AP, difference", "mean IoU, difference"]
    parts = []
    for run in content["runs"].values():
        noise = ", ".join(f"{name} {amount:g}" for name, amount in run["noise"].items()) or "none"
        rows = [
            [name, *(number(way[one]) for one in MEASURES), *(_signed(*way["difference"][one]) for one in SHOWN)]
            for name, way in run["ways"].items()
        ]
        title = f"Noise of boxes: {noise}; {run['rooms']} rooms, {run['objects']} objects."
        parts.append(f"{title}\n\n{table(header, rows)}")
    return "\n\n".join(parts)


def _signed(mean: float, error: float) -> str:
    return f"{mean:+.4f} ± {error:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    content = {**about(quick=False), "runs": {run.name: measure(run, ways()) for run in chosen.runs}}
    print(rendered(content))
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()

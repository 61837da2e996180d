"""What the evaluation of one scene keeps, and its plain arrays for the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.evaluation.calibration import OwnerSamples
from stages.evaluation.drift import Owners, SceneDrift
from stages.evaluation.label_quality import ObjectQuality
from stages.evaluation.pairs import BoxMatches, Matches
from stages.typing import Int64


@dataclass(frozen=True, eq=False)
class TruthEvaluation:
    """What can be said where the ground truth is known."""

    objects: ObjectQuality
    matches: Matches
    boxes: BoxMatches
    samples: OwnerSamples
    pure_points: int
    """points that lie in the majority instance (or none) of their region"""


@dataclass(frozen=True, eq=False)
class SceneEvaluation:
    """The evaluation of one scene; ``truth`` is None where the scan has no ground truth."""

    scene: str
    class_names: tuple[str, ...]
    points: int
    regions: int
    objects: int
    source_points: Int64[np.ndarray, " sources"]
    """points of the regions that each LabelSource decided; points without a region count nowhere"""
    owners: Owners
    drift: SceneDrift | None
    """None in the first round"""
    truth: TruthEvaluation | None


_GROUPS: dict[str, type[Any]] = {
    "objects": ObjectQuality,
    "matches": Matches,
    "boxes": BoxMatches,
    "samples": OwnerSamples,
}
_DIMENSION: dict[str, dict[str, str]] = {
    "objects": {"": "object"},
    "matches": {"prediction": "object", "truth": "instance", "pair": "pair"},
    "boxes": {"prediction": "box_prediction", "truth": "box_instance", "pair": "box_pair"},
    "samples": {"": "contested_region"},
}
_COUNTS = ("points", "regions", "objects")
_DRIFT: dict[str, tuple[str, ...]] = {
    "points_before": ("object",),
    "points_now": ("object",),
    "source_points_before": ("source",),
}
_DRIFT_NUMBERS = ("uncertainty_before", "to_object", "to_background", "from_background")


def to_arrays(
    evaluation: SceneEvaluation,
) -> tuple[dict[str, tuple[np.ndarray, tuple[str, ...]]], dict[str, Any]]:
    """Arrays with the names of their dimensions, and attributes; those of the truth are absent where it is unknown.

    An array is named ``<group>_<field>``, the groups being those of TruthEvaluation and ``drift``.
    """
    arrays: dict[str, tuple[np.ndarray, tuple[str, ...]]] = {
        "source_points": (evaluation.source_points, ("source",)),
        "owner": (evaluation.owners.owner, ("region",)),
    }
    attributes: dict[str, Any] = {"scene": evaluation.scene, "class_names": list(evaluation.class_names)}
    attributes |= {name: getattr(evaluation, name) for name in _COUNTS}
    attributes |= {"boxed_points": evaluation.owners.boxed_points, "uncertainty": evaluation.owners.uncertainty}
    drift = evaluation.drift
    if drift is not None:
        arrays |= {f"drift_{name}": (getattr(drift, name), dimensions) for name, dimensions in _DRIFT.items()}
        attributes["drift"] = {name: getattr(drift, name) for name in _DRIFT_NUMBERS}
    attributes["ground_truth"] = evaluation.truth is not None
    if evaluation.truth is None:
        return arrays, attributes
    for group in _GROUPS:
        for name, values in vars(getattr(evaluation.truth, group)).items():
            row = _DIMENSION[group].get(name.partition("_")[0], _DIMENSION[group].get("", ""))
            arrays[f"{group}_{name}"] = (values, (row,) if values.ndim == 1 else ("subset", row))
    attributes["pure_points"] = evaluation.truth.pure_points
    found = np.flatnonzero(evaluation.truth.objects.found_by_box)
    attributes["instances_found_by_box_overlap"] = found.tolist()
    return arrays, attributes


def from_arrays(arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> SceneEvaluation:
    """The inverse of ``to_arrays`` (without the names of dimensions)."""
    drift = None
    if "drift" in attributes:
        fields: dict[str, Any] = {name: arrays[f"drift_{name}"] for name in _DRIFT}
        drift = SceneDrift(**fields, **attributes["drift"])
    truth = None
    if attributes["ground_truth"]:
        groups = {
            group: kind(**{name: arrays[f"{group}_{name}"] for name in kind.__dataclass_fields__})
            for group, kind in _GROUPS.items()
        }
        truth = TruthEvaluation(**groups, pure_points=attributes["pure_points"])
    return SceneEvaluation(
        scene=attributes["scene"],
        class_names=tuple(attributes["class_names"]),
        **{name: attributes[name] for name in _COUNTS},
        source_points=arrays["source_points"],
        owners=Owners(arrays["owner"], attributes["boxed_points"], attributes["uncertainty"]),
        drift=drift,
        truth=truth,
    )

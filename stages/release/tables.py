"""What is in a release: the table of its scenes, and sums over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stages.evaluation.plain import comma_separated
from stages.release.folder import labels_name
from stages.release.planning import Receipt

COLUMNS: dict[str, tuple[str, str]] = {
    "scene": ("sc:Text", "id of the scene"),
    "split": ("sc:Text", "train, val or test; empty where the scene is in none"),
    "file": ("sc:Text", "path of its labels in this release"),
    "bytes": ("sc:Integer", "size of that file"),
    "sha256": ("sc:Text", "checksum of that file"),
    "points": ("sc:Integer", "points of the scan, in the order of its file"),
    "regions": ("sc:Integer", "regions that the points are grouped into"),
    "objects": ("sc:Integer", "annotated boxes, each with a mask"),
    "contested_share": ("sc:Float", "share of the points in regions that a posterior decided about"),
    "uncertain_share": ("sc:Float", "share of the points in regions with uncertainty 0.5 or more"),
    "mean_uncertainty": ("sc:Float", "uncertainty, 0..1, averaged over the points"),
}
"""Column of ``scenes.csv`` -> type in Croissant, meaning."""


@dataclass
class Totals:
    """Sums over the scenes of a release."""

    scenes: int = 0
    points: int = 0
    regions: int = 0
    objects: int = 0
    uncertain: int = 0
    uncertainty: float = 0.0
    bytes: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    """objects of each class; "" for those without"""
    sources: Counter[str] = field(default_factory=Counter)
    """points by who decided their label"""
    methods: Counter[str] = field(default_factory=Counter)
    """scenes by how their regions were made"""
    frames: Counter[str] = field(default_factory=Counter)
    """scenes by the frame of their coordinates"""


def totals_of(receipts: Sequence[Receipt]) -> Totals:
    """What all scenes have together."""
    total = Totals()
    for receipt in receipts:
        facts = receipt.facts
        total.scenes += 1
        total.points += facts["points"]
        total.regions += facts["regions"]
        total.objects += facts["objects"]
        total.uncertain += facts["uncertain"]
        total.uncertainty += facts["uncertainty"]
        total.bytes += sum(one["size"] for one in receipt.files.values())
        total.classes.update(facts["classes"])
        total.sources.update(facts["sources"])
        total.methods[facts["method"]] += 1
        total.frames[facts["frame"]] += 1
    return total


def scenes_csv(receipts: Sequence[Receipt], split_of: Mapping[str, str]) -> bytes:
    """One row a scene, columns as in ``COLUMNS``."""
    return comma_separated(tuple(COLUMNS), [_row(one, split_of.get(one.scene, "")) for one in receipts])


def _row(receipt: Receipt, split: str) -> tuple[object, ...]:
    facts, name = receipt.facts, labels_name(receipt.scene)
    file = receipt.files[name]
    points = max(facts["points"], 1)
    shares = (round(facts[what] / points, 6) for what in ("contested", "uncertain", "uncertainty"))
    counts = (facts["points"], facts["regions"], facts["objects"])
    return (receipt.scene, split, name, file["size"], file["sha256"], *counts, *shares)

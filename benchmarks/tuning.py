"""Are the constants of the default fitted to the scans they are judged by? Settings chosen without the room judged.

    python -m benchmarks.tuning [--real FOLDER] [--rooms N] [--points N] [--quick] [--json FILE]

Candidates are the shipped constants of the joint posterior (weights of evidence, log odds, exponents, trust in
observations), each of them changed alone, and random combinations of such changes. Every room is judged by the setting
with the best label AP on all other rooms (scans of one room of ScanNet are one room), and the objects of all rooms are
pooled. Beside it stand the shipped constants and the setting that is best on the very scans it is judged by, which no
honest choice can beat. Real scans are also judged by the setting that built-in rooms alone would choose.

All these lie around the shipped constants, which whoever shipped them may have fitted to the same scans. So the same
choice is made once more among settings drawn from wide ranges, where the shipped constants play no part.

Regions, memberships and kinds of evidence do not depend on the constants and are made once a scan; prior, joint
posterior and labels are made anew by the functions of the stages. `--quick` tries every eighth setting.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.sparse import csr_array

from benchmarks.noise import FULL, settings_of
from benchmarks.rendering import LOADS, provenance, with_notes
from benchmarks.runs import about, arguments, loads
from benchmarks.tables import number, table, write_json
from benchmarks.tuning_settings import (
    RANDOM,
    SHIPPED,
    VALUES,
    WEIGHTS,
    WIDE,
    Setting,
    alone,
    changed,
    settings,
    shipped,
)
from benchmarks.workload import Load, Scan, partition
from stages.evaluation.boxes import extents
from stages.evaluation.calibration import OwnerSamples, by_room, owner_samples, pooled_calibration, room_of
from stages.evaluation.label_quality import instances_of_boxes, label_ap
from stages.evaluation.overlap import instance_points, intersection_over_union, mask_points, points_in_instances
from stages.evaluation.scene import known_truth
from stages.posteriors import infer, prior
from stages.posteriors.assemble import assemble
from stages.posteriors.config import PosteriorsConfig
from stages.posteriors.determine import leave_to_posterior
from stages.posteriors.evidence import combine
from stages.posteriors.graph.field import solve_graph
from stages.pseudo_labels.build import build_labels
from stages.pseudo_labels.coupling import Fusion
from stages.pseudo_labels.labels import PseudoLabels
from stages.summary.figures import of_kind
from stages.typing import Float64, Int32

QUICK = 8

CONDITIONS: dict[str, list[str]] = {
    "exact boxes": [],
    "exact boxes, without face seeds": ["posteriors.faces=plain"],
    FULL: settings_of(FULL),
    "scale and shift ± 5 %": settings_of("scale and shift ± 5 %"),
}
LEFT_OUT, TOGETHER = "chosen on the other rooms", "chosen on the other rooms, one for all conditions"
DRAWN_WIDE = "chosen on the other rooms, among wide draws"
TRANSFER, BEST = "chosen on built-in rooms, one for all conditions", "best on the same scans (optimistic)"


@dataclass(frozen=True, eq=False)
class Case:
    """One scan up to where the constants matter; boxes of ``prepared`` and evidence in canonical order."""

    scan: Scan
    fusion: Fusion
    prepared: infer.Prepared
    """every region in a box is contested"""
    evidence: dict[str, Float64[np.ndarray, "K S"]]
    """of each kind, without its weight"""
    doubt: Float64[np.ndarray, "K S"]
    """evidence without a weight, from faces that are not trusted"""
    counts: csr_array
    """int64 [S+1, I+1], points of each region in each instance"""
    instance: Int32[np.ndarray, " K"]
    """of each box in the annotation's order, -1 unknown"""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one setting makes of one scan."""

    iou: Float64[np.ndarray, " K"]
    samples: OwnerSamples


Scans = dict[str, Outcome]
Outcomes = dict[str, Scans]
"""By setting and scan."""


def case_of(scan: Scan, config: PosteriorsConfig, fusion: Fusion) -> Case:
    """What all settings have in common on one scan; raises ValueError where its instances are unknown."""
    with (
        changed(dict.fromkeys(WEIGHTS, 0.0)),
        patch.object(infer, "evidence_prior", wraps=prior.evidence_prior) as called,
    ):
        prepared = infer.prepare(scan.scene, scan.superpoints, config)
    view = prepared.view
    with changed(dict.fromkeys(WEIGHTS, 1.0)):
        evidence: dict[str, Float64[np.ndarray, "K S"]] = {
            kind: combine.evidence_against(
                view.scene, scan.superpoints, view.size, (kind,), config.margin, prepared.faces.deviation
            )
            for kind in config.evidence
        }
    truth = known_truth(scan.scene)
    if truth is None:
        raise ValueError(f"scene {scan.scene.scene} has no ground-truth instances")
    instances = len(truth.counts)
    boxes = scan.scene.boxes
    corners = extents(scan.scene.xyz, truth.instance, instances)
    return Case(
        scan,
        fusion,
        replace(prepared, ownership=leave_to_posterior(prepared.ownership)),
        evidence,
        called.call_args.args[2],
        points_in_instances(view.superpoint, truth.instance, len(view.size), instances),
        instances_of_boxes(boxes.instance, boxes.corners, corners, truth.counts)[0],
    )


def labels_of(case: Case) -> PseudoLabels:
    """The labels of one scan under the constants of the moment."""
    ownership, view = case.prepared.ownership, case.prepared.view
    weighted = sum((WEIGHTS[kind] * found for kind, found in case.evidence.items()), np.zeros_like(case.doubt))
    owners = prior.evidence_prior(
        ownership.candidate, ownership.nested, weighted + case.doubt, view.scene.boxes.corners
    )
    ownership = replace(ownership, prior=prior.with_background(owners, ownership.background))
    joint = solve_graph(replace(case.prepared, ownership=ownership).graph())
    posteriors = assemble(ownership, [], [], view.order, "identity", "graph", case.prepared.faces, joint)
    return build_labels(case.scan.scene, case.scan.superpoints, posteriors, case.fusion)


def outcome_of(case: Case) -> Outcome:
    """Those labels against the truth, as the stage ``evaluation`` sees them."""
    labels = labels_of(case)
    shared = mask_points(labels.mask, case.counts, labels.contested)
    totals = instance_points(case.counts, labels.contested)
    iou = intersection_over_union(shared, totals, case.instance)[0]
    kept = (labels.mask, labels.probability, labels.contested, labels.ignore, labels.uncertainty)
    return Outcome(iou, owner_samples(*kept, case.counts, case.instance))


def outcomes_of(load: Load, condition: str, output: Path, candidates: Mapping[str, Setting]) -> Outcomes:
    """Every setting on every scan of a load, its regions made by the command in the folder ``output``."""
    under = replace(load, settings=(*load.settings, *CONDITIONS[condition]))
    found = partition(under, "folder", output)
    outcomes: Outcomes = {name: {} for name in candidates}
    for scan in found.scans:
        case = case_of(scan, found.posteriors, found.fusion)
        for name, setting in candidates.items():
            with changed(setting):
                outcomes[name][scan.scene.scene] = outcome_of(case)
    return outcomes


def ap_of(scans: Mapping[str, Outcome], names: Sequence[str]) -> float:
    """Label AP over the objects of the scans named."""
    return label_ap(np.concatenate([scans[name].iou for name in names])).ap


def best(conditions: Sequence[Outcomes], names: Sequence[str]) -> str:
    """The setting with the best label AP on the scans named, in the mean of ``conditions``; the first of equals."""
    return max(conditions[0], key=lambda setting: sum(ap_of(found[setting], names) for found in conditions))


def among(found: Outcomes, *, wide: bool) -> Outcomes:
    """The outcomes of wide draws, or of all other settings."""
    return {name: scans for name, scans in found.items() if name.startswith(WIDE) is wide}


def without_room(conditions: Sequence[Outcomes]) -> dict[str, str]:
    """The setting for each room: the best on the scans of all other rooms; empty without settings or other rooms."""
    names = list(next(iter(conditions[0].values()), []))
    rooms = sorted({room_of(name) for name in names})
    if len(rooms) < 2:
        return {}
    return {room: best(conditions, [name for name in names if room_of(name) != room]) for room in rooms}


def figures_of(found: Outcomes, chosen: Mapping[str, str]) -> dict[str, float]:
    """Quality of labels and ECE over all rooms, each under the setting ``chosen`` for it."""
    names = next(iter(found.values()))
    picked = {name: found[chosen[room_of(name)]][name] for name in names}
    quality = label_ap(np.concatenate([one.iou for one in picked.values()]))
    rooms = by_room({name: one.samples for name, one in picked.items()})
    ece = {f"ece_{kind}": pooled_calibration(of_kind(rooms, kind)).ece for kind in ("overlap", "background")}
    return {"ap": quality.ap, "ap50": quality.ap50, "ap90": quality.ap90, "mean_iou": quality.mean_iou, **ece}


def summary_of(conditions: Mapping[str, Outcomes], transferred: str | None) -> dict[str, dict[str, Any]]:
    """Rows of each condition, which setting was chosen for which room, and the label AP of every setting."""
    together, content = without_room([among(found, wide=False) for found in conditions.values()]), {}
    for condition, found in conditions.items():
        names = list(found[SHIPPED])
        rooms = sorted({room_of(name) for name in names})
        chosen = {
            SHIPPED: dict.fromkeys(rooms, SHIPPED),
            LEFT_OUT: without_room([among(found, wide=False)]),
            TOGETHER: together,
            DRAWN_WIDE: without_room([among(found, wide=True)]),
            TRANSFER: dict.fromkeys(rooms, transferred) if transferred else {},
            BEST: dict.fromkeys(rooms, best([found], names)),
        }
        chosen = {row: by for row, by in chosen.items() if by}
        content[condition] = {
            "scenes": len(names),
            "rooms": len(rooms),
            "objects": label_ap(np.concatenate([one.iou for one in found[SHIPPED].values()])).objects,
            "rows": {row: figures_of(found, by) for row, by in chosen.items()},
            "chosen": chosen,
            "ap": {setting: ap_of(scans, names) for setting, scans in found.items()},
        }
    return content


def rendered(content: Mapping[str, Any]) -> str:
    """Two tables a load: how constants were chosen, and ranges of label AP while one constant changes."""
    parts = []
    header = ["boxes", "constants", "AP", "AP50", "AP90", "mean IoU", "ECE overlap", "ECE background"]
    for kind in (kind for kind in LOADS if kind in content):
        conditions = content[kind]
        first = next(iter(conditions.values()))
        rows = [
            [condition, row, *(number(figure) for figure in figures.values())]
            for condition, found in conditions.items()
            for row, figures in found["rows"].items()
        ]
        about_load = f"{first['scenes']} {LOADS[kind]}, {first['rooms']} rooms, {first['objects']:,} objects"
        parts.append(f"{about_load}:\n\n{table(header, rows)}")
        parts.append(
            "Lowest and highest label AP while one constant takes its other values:\n\n"
            + table(["constant", "values", *conditions], _ranges(content["settings"], conditions))
        )
    notes = [f"{len(content['settings'])} settings, {SHIPPED} among them", provenance(content)]
    return with_notes("\n\n".join(parts), notes)


def _ranges(candidates: Mapping[str, Setting], conditions: Mapping[str, Any]) -> list[list[str]]:
    """One row for the shipped constants, each constant alone and all random settings."""
    groups = {SHIPPED: ("", [SHIPPED])}
    for constant, values in VALUES.items():
        tried = [value for value in values if alone(constant, value) in candidates]
        shown = ", ".join(f"{value:g}" for value in tried)
        groups[f"`{constant}`"] = (f"{shipped(constant):g}: {shown}", [alone(constant, value) for value in tried])
    for group, start in (("several at random", RANDOM), ("all, from wide ranges", WIDE)):
        groups[group] = ("", [name for name in candidates if name.startswith(start)])
    rows = []
    for group, (description, names) in groups.items():
        if names:
            ap = [[found["ap"][name] for name in names] for found in conditions.values()]
            bounds = [(number(min(one)), number(max(one))) for one in ap]
            rows.append([group, description, *(low if low == high else f"{low} to {high}" for low, high in bounds)])
    return rows


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    chosen = arguments(__doc__).parse_args()
    candidates = dict(list(settings().items())[:: QUICK if chosen.quick else 1])
    content: dict[str, Any] = {**about(chosen.quick), "settings": candidates}
    transferred = None
    for kind, load in sorted(loads(chosen).items(), reverse=True):  # rooms first, since they choose for real scans
        conditions = {}
        with tempfile.TemporaryDirectory() as folder:
            for condition in CONDITIONS:
                if condition == FULL and kind != "real":
                    continue
                conditions[condition] = outcomes_of(load, condition, Path(folder) / "run", candidates)
                scans = conditions[condition][SHIPPED]
                ap = ap_of(scans, list(scans))
                print(f"{load.name}: {condition}: label AP {ap:.3f} as shipped", file=sys.stderr, flush=True)
        content[kind] = summary_of(conditions, transferred)
        if kind == "rooms":
            near = [among(found, wide=False) for found in conditions.values()]
            transferred = best(near, list(near[0][SHIPPED]))
    print(rendered(content))
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()

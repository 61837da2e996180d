"""Figures of the benchmarks as Markdown: pure functions from the content of a result file to text."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any

from benchmarks.tables import described, number, table

Figures = Mapping[str, Any]

TO_LABELS = ("superpoints", "features", "posteriors", "pseudo_labels")
"""The stages from points to labels, whose seconds count."""
LOADS = {"real": "real scans without a mesh", "rooms": "built-in rooms"}


def ways(names: Mapping[str, str], few: bool) -> Callable[[Figures], str]:
    """The rendering of a table of ``benchmarks.ablations``: one row a way, real scans beside built-in rooms."""

    def render(content: Figures) -> str:
        loads = [kind for kind in LOADS if _load(content, kind, few)]
        header = ["contested regions decided by"]
        for kind in loads:
            header += [f"{measure} ({kind})" for measure in ("AP", "AP50", "AP90", "mean IoU", "s a scan")]
        rows = []
        for label, name in names.items():
            row = [label]
            for kind in loads:
                found = _load(content, kind, few).get(name)
                row += ["-"] * 5 if found is None else _quality(found)
            if any(cell != "-" for cell in row[1:]):
                rows.append(row)
        if not rows:
            return "Not measured in this run."
        notes = [_scenes(LOADS[kind], next(iter(_load(content, kind, few).values()))) for kind in loads]
        return with_notes(table(header, rows), [*notes, *_absent(content), provenance(content)])

    return render


def noise(content: Figures) -> str:
    """Label AP, AP50 and ECE under each condition, mean ± standard deviation over the seeds; one table a load."""
    parts = []
    header = ["boxes"]
    for name in ("default", "`paper`"):
        header += [f"{name}: AP", "AP50", "ECE overlap", "ECE background"]
    header[5:5] = ["smallest box: AP", "AP50"]
    for kind in (kind for kind in LOADS if kind in content):
        rows = []
        for condition, found in content[kind].items():
            default, paper = found["default"], found["paper"]
            ours, published = (
                [_over_seeds(runs, "labels", measure) for measure in ("ap", "ap50")]
                + [_over_seeds(runs, "calibration", owners, "ece") for owners in ("overlap", "background")]
                for runs in (default, paper)
            )
            smallest = [_over_seeds(default, "smallest_box", measure) for measure in ("ap", "ap50")]
            rows.append([condition, *ours, *smallest, *published])
        first = next(iter(content[kind].values()))["default"][0]
        parts.append(f"{_scenes(LOADS[kind], first)}:\n\n{table(header, rows)}")
    seeds = ", ".join(str(seed) for seed in content["seeds"])
    return with_notes("\n\n".join(parts), [*_absent(content), f"Seeds {seeds}", provenance(content)])


def calibration(content: Figures) -> str:
    """Calibration of overlap and background regions beside the constant; one table a load."""
    header = ["labels", "regions in", "rooms", "points", "accuracy", "ECE", "room ECE", "Brier", "AUROC"]
    header += ["constant: ECE", "room ECE", "Brier"]
    parts = []
    for kind in (kind for kind in LOADS if kind in content):
        rows = []
        for name, found in content[kind].items():
            for owners in ("overlap", "background"):
                ours, constant = found["calibration"][owners], found["base_rate"].get(owners, {})
                row = [name, owners, str(found["rooms"]), f"{ours['points']:,}"]
                row += [number(ours[key]) for key in ("accuracy", "ece", "room_ece", "brier", "auroc")]
                row += [number(constant.get(key)) for key in ("ece", "room_ece", "brier")]
                rows.append(row)
        first = next(iter(content[kind].values()))
        parts.append(f"{_scenes(LOADS[kind], first)}:\n\n{table(header, rows)}")
    return with_notes("\n\n".join(parts), [*_absent(content), provenance(content)])


def growth(series: str) -> Callable[[Figures], str]:
    """The rendering of one series of ``benchmarks.growth``, with its exponents in the last rows."""

    def render(content: Figures) -> str:
        found = content[series]
        stages = list(found["rows"][0]["stages"])
        rows = [
            [
                *(f"{row[key]:,}" for key in ("points", "regions", "boxes", "pairs")),
                *(number(row[key], 1) for key in ("seconds", "cpu_seconds", "labelling_seconds")),
                *(number(row["stages"][stage], 1) for stage in stages),
                f"{row['peak_bytes'] / 2**30:.2f}",
            ]
            for row in found["rows"]
        ]
        for axis, exponents in found["exponents"].items():
            # a size that stays the same, or nearly, explains no growth
            sizes = [row[axis] for row in found["rows"]]
            if max(sizes) >= 2 * max(min(sizes), 1):
                costs = ("seconds", "cpu_seconds", "labelling_seconds", *stages, "peak_bytes")
                rows.append([f"exponent by {axis}", "", "", "", *(number(exponents[cost], 2) for cost in costs)])
        header = [
            "points",
            "regions",
            "boxes",
            "pairs",
            "seconds",
            "CPU seconds",
            "points to labels",
            *stages,
            "peak GiB",
        ]
        fitted = f"Exponents over the rooms of at least {content['fit_from']:,} points"
        return with_notes(table(header, rows), [fitted, provenance(content)])

    return render


def _load(content: Figures, kind: str, few: bool) -> Figures:
    found: Figures = content.get(f"few_{kind}" if few else kind, {})
    return found


def _quality(found: Figures) -> list[str]:
    seconds = sum(found["seconds"][stage] for stage in TO_LABELS)
    return [*(number(found["labels"][key]) for key in ("ap", "ap50", "ap90", "mean_iou")), number(seconds, 2)]


def _over_seeds(runs: Sequence[Figures], *keys: str) -> str:
    """Mean ± standard deviation of a figure over the seeds that have it."""
    figures: list[Any] = [reduce(getitem, keys, found) for found in runs]
    values = [float(figure) for figure in figures if figure is not None]
    if not values:
        return "-"
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return number(statistics.fmean(values)) + spread


def _scenes(name: str, found: Figures) -> str:
    return f"{found['scenes']} {name}, {found['labels']['objects']:,} objects"


def _absent(content: Figures) -> list[str]:
    return [] if {"real", "few_real"} & set(content) else ["No real scans were given"]


def provenance(content: Figures) -> str:
    """What the figures were measured on, and whether by a quick run."""
    boxgp = content.get("versions", {}).get("boxgp")
    text = described(content["machine"]) + (f", boxgp {boxgp}" if boxgp else "")
    return f"{text}. A quick run" if content.get("quick") else text


def with_notes(body: str, notes: Sequence[str]) -> str:
    """A table, or several, with notes as sentences below."""
    return f"{body}\n\n{'. '.join(notes)}."

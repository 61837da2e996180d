"""The charts of a page as plain figures of plotly: ids, traces and layouts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.evaluation.calibration import Reliability
from stages.report.colors import SOURCES
from stages.report.encoding import label_text
from stages.report.facts import BINS, ReviewLine
from stages.report.regions import ObjectFacts
from stages.structures import LabelSource
from stages.typing import Int64

BLUE, ORANGE, GREY, GREEN = "#1769aa", "#e67e22", "#8a949e", "#278644"
_IOU_BINS = 20
_MOST_POINTS = 2000
"""objects that are drawn one by one beside the boxes of their classes"""
_LAYOUT: dict[str, Any] = {
    "margin": {"l": 58, "r": 12, "t": 8, "b": 46},
    "font": {"size": 12, "color": "#1b1f24"},
    "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    "bargap": 0.08,
}
_AXIS: dict[str, Any] = {"gridcolor": "#e4e8ec", "linecolor": "#9aa5b1", "zeroline": False, "automargin": True}


@dataclass(frozen=True)
class Chart:
    """A chart with the words around it."""

    id: str
    title: str
    note: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """What plotly gets."""
        return {"id": self.id, "data": self.data, "layout": self.layout}


def _layout(x: str, y: str, **more: Any) -> dict[str, Any]:
    axes = {"xaxis": {**_AXIS, "title": {"text": x}}, "yaxis": {**_AXIS, "title": {"text": y}}}
    for name in ("xaxis", "yaxis"):
        axes[name] |= more.pop(name, {})
    return {**_LAYOUT, **axes, **more}


def iou_histogram(objects: Sequence[ObjectFacts], smallest_box: Sequence[float]) -> Chart | None:
    """How many objects reach which IoU, beside the trivial rule; None without truth."""
    iou = [one.iou for one in objects if not math.isnan(one.iou)]
    if not iou:
        return None
    edges = np.linspace(0, 1, _IOU_BINS + 1)
    middle = ((edges[1:] + edges[:-1]) / 2).round(4).tolist()
    known = [value for value in smallest_box if not math.isnan(value)]
    data: list[dict[str, Any]] = [
        {"type": "bar", "name": "labels", "x": middle, "y": np.histogram(iou, edges)[0].tolist()}
        | {"marker": {"color": BLUE}, "hovertemplate": "IoU %{x:.3f} ± 0.025: %{y} objects<extra></extra>"},
        {"type": "scatter", "mode": "lines", "name": "smallest box", "x": middle}
        | {"y": np.histogram(known, edges)[0].tolist(), "line": {"color": ORANGE, "shape": "hvh", "width": 2}},
    ]
    layout = _layout("IoU with the true instance", "objects", xaxis={"range": [0, 1]})
    return Chart("chart-iou", "IoU of the objects", "the smallest box around each point, for comparison", data, layout)


def iou_by_class(objects: Sequence[ObjectFacts]) -> Chart | None:
    """The IoU of each class's objects, the worst class first; None without truth."""
    classes: dict[str, list[ObjectFacts]] = {}
    for one in objects:
        if not math.isnan(one.iou):
            classes.setdefault(one.class_name, []).append(one)
    if not classes:
        return None
    ranked = sorted(classes.items(), key=lambda item: (float(np.median([one.iou for one in item[1]])), item[0]))
    every = sum(map(len, classes.values())) <= _MOST_POINTS
    data: list[dict[str, Any]] = [
        {
            "type": "box",
            "name": label_text(name),
            "y": [round(one.iou, 4) for one in members],
            "text": [label_text(f"{one.scene}, {one.title}") for one in members],
            "boxpoints": "all" if every else False,
            "jitter": 0.4,
            "pointpos": 0,
            "marker": {"color": BLUE, "size": 4, "opacity": 0.6},
            "line": {"color": "#47525d", "width": 1},
            "fillcolor": "rgba(23,105,170,0.12)",
        }
        for name, members in ranked
    ]
    layout = _layout("", "IoU", yaxis={"range": [0, 1.03]}, xaxis={"tickangle": -40}, showlegend=False)
    note = "each point one object; classes by their median" if every else "classes by their median"
    return Chart("chart-classes", "IoU of each class", note, data, layout)


def uncertainty_histogram(histogram: Int64[np.ndarray, "3 bins"]) -> Chart | None:
    """Shares of the contested points by uncertainty; None where none is contested."""
    total = int(histogram[1:].sum())
    if not total:
        return None
    middle = ((np.arange(BINS) + 0.5) / BINS).round(4).tolist()
    names = {1: ("in two or more boxes", BLUE), 2: ("maybe background of its one box", ORANGE)}
    data = [
        {"type": "bar", "name": name, "x": middle, "y": (histogram[kind] / total).round(5).tolist()}
        | {"marker": {"color": color}, "hovertemplate": "%{y:.1%} at %{x:.3f} ± 0.025<extra></extra>"}
        for kind, (name, color) in names.items()
    ]
    layout = _layout("uncertainty (0 sure, 1 unsure)", "share of contested points", barmode="stack")
    layout["xaxis"]["range"], layout["yaxis"]["tickformat"] = [0, 1], ".0%"
    note = f"{total:,} points of contested regions; {int(histogram[0].sum()):,} points are determined"
    return Chart("chart-uncertainty", "Uncertainty", note, data, layout)


def reliability_chart(tables: Mapping[str, Reliability]) -> Chart | None:
    """Accuracy over confidence in bins of equal mass; None where no bin holds points."""
    colors = {"overlap": BLUE, "background": ORANGE, "together": GREEN}
    data: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "x": table.confidence.round(4).tolist()}
        | {"y": table.accuracy.round(4).tolist(), "line": {"color": colors.get(name, GREY)}, "marker": {"size": 6}}
        for name, table in tables.items()
        if len(table.points)
    ]
    if not data:
        return None
    even = {"type": "scatter", "mode": "lines", "name": "calibrated", "x": [0, 1], "y": [0, 1], "hoverinfo": "skip"}
    data.append(even | {"line": {"color": GREY, "dash": "dot", "width": 1.5}})
    layout = _layout("confidence", "accuracy", xaxis={"range": [0, 1.02]}, yaxis={"range": [0, 1.02]})
    note = "contested regions: how often the owner is right where it is claimed with that confidence"
    return Chart("chart-reliability", "Reliability", note, data, layout)


def sources_chart(shares: Mapping[str, float]) -> Chart | None:
    """Who decided which share of the points."""
    if not shares:
        return None
    color = {member.name.lower(): SOURCES[member] for member in LabelSource}
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "x": [round(share, 5) for share in shares.values()],
            "y": list(shares),
            "text": [f"{share:.1%}" for share in shares.values()],
            "textposition": "auto",
            "cliponaxis": False,
            "marker": {"color": [f"rgb{color[name]}" for name in shares]},
            "hovertemplate": "%{y}: %{x:.2%}<extra></extra>",
        }
    ]
    layout = _layout("share of the points with a region", "", xaxis={"tickformat": ".0%", "rangemode": "tozero"})
    layout["yaxis"]["autorange"], layout["bargap"] = "reversed", 0.5
    return Chart("chart-sources", "Who decided the labels", "gp: a posterior of the Gaussian Process", data, layout)


def seconds_chart(seconds: Mapping[str, Sequence[float]]) -> Chart | None:
    """Seconds of each stage a scene; None where no manifest says any."""
    if not seconds:
        return None
    data: list[dict[str, Any]] = [
        {
            "type": "box",
            "name": stage,
            "x": [round(value, 4) for value in values],
            "boxpoints": "all" if len(values) <= _MOST_POINTS else "outliers",
            "jitter": 0.4,
            "pointpos": 0,
            "marker": {"color": BLUE, "size": 4, "opacity": 0.6},
            "line": {"color": "#47525d", "width": 1},
            "fillcolor": "rgba(23,105,170,0.12)",
            "orientation": "h",
        }
        for stage, values in seconds.items()
        if len(values)
    ]
    layout = _layout("seconds (logarithmic)", "", xaxis={"type": "log", "dtick": "D2"}, showlegend=False)
    layout["yaxis"]["autorange"] = "reversed"
    note = "each point one scene, or one computation over all scenes"
    return Chart("chart-seconds", "Seconds of each stage", note, data, layout)


def review_chart(lines: Sequence[ReviewLine]) -> Chart | None:
    """Label AP by regions corrected a scene; None without truth."""
    if not lines:
        return None
    colors = (BLUE, GREEN, GREY, ORANGE)
    data: list[dict[str, Any]] = []
    for place, line in enumerate(lines):
        trace: dict[str, Any] = {"type": "scatter", "mode": "lines+markers", "name": label_text(line.name)}
        trace["x"] = list(line.counts)
        trace |= {"y": [round(value, 5) for value in line.ap], "line": {"color": colors[place % len(colors)]}}
        if line.deviation:
            trace["error_y"] = {"type": "data", "array": [round(value, 5) for value in line.deviation], "thickness": 1}
        data.append(trace)
    note = "label AP when the truth replaces that many regions of each scene, chosen in different ways"
    layout = _layout("regions corrected a scene", "label AP")
    return Chart("chart-review", "What a review would gain", note, data, layout)

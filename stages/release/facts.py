"""What the tables of a release say of one scene: counts, and how sure its labels are."""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import LabelSource

UNSURE = 0.5
"""uncertainty from which on a region counts as uncertain"""


def scene_facts(labels: PseudoLabels) -> dict[str, Any]:
    """Plain values: how regions were made, frame, points, regions, objects (and of each class), and points by who
    decided them.

    ``contested`` and ``uncertain`` are numbers of points in such regions, ``uncertainty`` is the sum over points.
    """
    placed = labels.superpoint[labels.superpoint >= 0]
    points = np.bincount(placed, minlength=len(labels.source))
    by_source = np.bincount(labels.source, weights=points, minlength=len(LabelSource))
    names = (*labels.class_names, "")
    classes = [names[index] for index in labels.boxes.class_index]
    return {
        "method": labels.superpoint_method,
        "frame": labels.frame,
        "points": len(labels.superpoint),
        "regions": len(labels.source),
        "objects": len(labels.mask),
        "classes": {name: classes.count(name) for name in dict.fromkeys(classes)},
        "sources": {source.name.lower(): int(by_source[source]) for source in LabelSource},
        "contested": int(points[labels.contested > 0].sum()),
        "uncertain": int(points[labels.uncertainty >= UNSURE].sum()),
        "uncertainty": float(points @ labels.uncertainty.astype(np.float64)),
    }

"""Parts of scenes that are too large to learn from at once."""

from __future__ import annotations

from dataclasses import replace

import torch

from stages.training.batch import TrainingScene
from stages.training.scenes import labelled_objects, select_regions


def crop(scene: TrainingScene, points: int, generator: torch.Generator) -> TrainingScene:
    """The ``points`` points that are nearest to a random one, from above: a round part of the room, floor to ceiling.

    Points keep their order. Regions without points and objects without regions vanish; objects that are cut keep the
    centre of their whole box. A scene that is small enough comes back as it is. Raises ValueError where ``points`` is
    not positive.
    """
    if points < 1:
        raise ValueError(f"a crop of {points} points: one at least is needed")
    if len(scene.xyz) <= points:
        return scene
    chosen = int(torch.randint(len(scene.xyz), (1,), generator=generator))
    distance = (scene.xyz[:, :2] - scene.xyz[chosen, :2]).square().sum(dim=1)
    nearest = torch.topk(distance, points, largest=False, sorted=False).indices.sort().values
    region = scene.superpoint[nearest]
    kept = torch.zeros(scene.regions, dtype=torch.bool)
    kept[region] = True
    number = kept.cumsum(dim=0) - 1
    return replace(
        scene,
        xyz=scene.xyz[nearest],
        color=scene.color[nearest],
        superpoint=number[region],
        regions=int(kept.sum()),
        labels=None if scene.labels is None else labelled_objects(select_regions(scene.labels, kept)),
    )

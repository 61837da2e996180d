"""Random changes of a scene that leave its labels as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from stages.training.batch import TrainingScene
from stages.typing import Float32

SMOOTHING = (1.0, 2.0, 3.0, 2.0, 1.0)
"""Two box filters of three nodes after each other."""
MOST_NODES = 96
"""Nodes of the elastic distortion along each axis; larger scenes (a stray point is enough) have them further apart."""


@dataclass(frozen=True)
class Augmentation:
    """How far a scene may be changed; 0 everywhere: not at all."""

    rotation: float = 180.0
    """largest angle about the vertical, degrees, either way"""
    mirror: float = 0.5
    """probability to mirror x, and to mirror y"""
    scale: float = 0.1
    """sizes are multiplied with 1 - scale .. 1 + scale"""
    elastic: float = 0.03
    """standard deviation of the elastic distortion, metres"""
    elastic_cell: float = 0.4
    """distance of the nodes that the distortion is smooth between, metres; bends are about twice as wide"""
    color_shift: float = 0.1
    """standard deviation of a shift of red, green and blue (of 2, from black to white) of the whole scene"""
    color_contrast: float = 0.2
    """contrast is multiplied with 1 - color_contrast .. 1 + color_contrast"""
    color_jitter: float = 0.03
    """standard deviation of the colour noise of each point"""
    color_drop: float = 0.1
    """probability that a scene loses its colours"""


def augment(scene: TrainingScene, options: Augmentation, generator: torch.Generator) -> TrainingScene:
    """The scene distorted, scaled, mirrored and turned about its origin, in other colours; box centres move along.

    All random numbers come from ``generator``, which is on the CPU as the scene is. What no option changes comes back
    as the very same tensor; so do the colours of a scene that has none.
    """
    labels, count = scene.labels, len(scene.xyz)
    places = scene.xyz if labels is None else torch.cat([scene.xyz, labels.center])
    moved = _moved(places, options, generator) if count else places
    color = _recolored(scene.color, options, generator)
    if moved is places:
        return scene if color is scene.color else replace(scene, color=color)
    return replace(
        scene,
        xyz=moved[:count],
        color=color,
        labels=None if labels is None else replace(labels, center=moved[count:]),
    )


def _moved(places: Float32[Tensor, "M 3"], options: Augmentation, generator: torch.Generator) -> Float32[Tensor, "M 3"]:
    if options.elastic:
        places = places + options.elastic * smooth_noise(places, options.elastic_cell, generator)
    factor = torch.ones(3)
    if options.scale:
        factor *= 1 + options.scale * _either_way(generator)
    if options.mirror:
        factor[:2] *= torch.where(torch.rand(2, generator=generator) < options.mirror, -1.0, 1.0)
    if bool((factor != 1).any()):
        places = places * factor
    if options.rotation:
        places = places @ _turn(math.radians(options.rotation) * _either_way(generator)).T
    return places


def _turn(angle: float) -> Float32[Tensor, "3 3"]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _either_way(generator: torch.Generator) -> float:
    """Uniform in [-1, 1)."""
    return 2 * float(torch.rand((), generator=generator)) - 1


def smooth_noise(places: Float32[Tensor, "M 3"], cell: float, generator: torch.Generator) -> Float32[Tensor, "M 3"]:
    """Three values at each place that vary smoothly: noise on nodes ``cell`` metres apart, smoothed, then interpolated.

    Their standard deviation is 1 at the nodes.
    """
    low = places.amin(dim=0)
    extent = (places.amax(dim=0) - low).clamp(min=cell)
    x, y, z = ((extent / cell).ceil().long() + 1).clamp(max=MOST_NODES).tolist()
    margin = len(SMOOTHING) - 1
    noise = torch.randn(3, 1, z + margin, y + margin, x + margin, generator=generator)
    kernel = torch.tensor(SMOOTHING)
    kernel = kernel / kernel.norm()  # which keeps the variance
    for shape in ((1, 1, -1, 1, 1), (1, 1, 1, -1, 1), (1, 1, 1, 1, -1)):
        noise = functional.conv3d(noise, kernel.view(shape))
    at = ((places - low) / extent * 2 - 1).view(1, -1, 1, 1, 3)
    return functional.grid_sample(noise.transpose(0, 1), at, align_corners=True).view(3, -1).T


def _recolored(
    color: Float32[Tensor, "N 3"], options: Augmentation, generator: torch.Generator
) -> Float32[Tensor, "N 3"]:
    if not bool(color.any()):
        return color
    if options.color_drop and float(torch.rand((), generator=generator)) < options.color_drop:
        return torch.zeros_like(color)
    changed = color
    if options.color_contrast:
        changed = changed * (1 + options.color_contrast * _either_way(generator))
    if options.color_shift:
        changed = changed + options.color_shift * torch.randn(3, generator=generator)
    if options.color_jitter:
        changed = changed + options.color_jitter * torch.randn(color.shape, generator=generator)
    return color if changed is color else changed.clamp(-1, 1)

"""Latent moments of a batch of problems at their contested regions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stages.posteriors.engines.padding import ACCELERATOR_ENTRIES, Batch, is_cpu
from stages.typing import Float, Float64, Int64

TILE = 512
"""contested regions of a problem that are predicted at once: bounds the memory of problems with very many"""

Predict = Callable[[Int64[Tensor, " C"], Float[Tensor, "C m D"]], tuple[Float[Tensor, "C m"], Float[Tensor, "C m"]]]
"""Latent means, without the prior mean, and variances of the given problems of a batch at m places each"""


@dataclass(frozen=True)
class _Tile:
    """Some contested regions of one problem of a batch."""

    problem: int
    places: slice
    width: int


def at_contested(batch: Batch, predict: Predict) -> list[tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " m"]]]:
    """Latent mean, prior mean included, and variance of every problem at its contested regions.

    On CPU ``predict`` is asked for one problem at a time, at places that are not padded, so that its shapes follow from
    that problem alone; on an accelerator for as many as memory allows.
    """
    moments = [np.zeros((2, len(problem.contested_feature))) for problem in batch.problems]
    for tiles in _chunks(batch):
        # the first tile is the widest
        feature = np.zeros((len(tiles), tiles[0].width, batch.feature.shape[-1]), np.float32)
        for row, tile in enumerate(tiles):
            feature[row, : tile.width] = batch.problems[tile.problem].contested_feature[tile.places]
        chosen = torch.tensor([tile.problem for tile in tiles], device=batch.feature.device)
        places = torch.tensor(feature, dtype=batch.feature.dtype, device=batch.feature.device)
        found = torch.stack(predict(chosen, places), dim=1).double().cpu().numpy()
        for row, tile in enumerate(tiles):
            moments[tile.problem][:, tile.places] = found[row, :, : tile.width]
    return [
        (problem.contested_prior_mean + mean, variance)
        for problem, (mean, variance) in zip(batch.problems, moments, strict=True)
    ]


def _chunks(batch: Batch) -> Iterator[Sequence[_Tile]]:
    """Tiles that are predicted together, the widest first."""
    counts = [len(problem.contested_feature) for problem in batch.problems]
    tiles = [
        _Tile(problem, slice(start, start + TILE), min(TILE, count - start))
        for problem, count in enumerate(counts)
        for start in range(0, count, TILE)
    ]
    tiles.sort(key=lambda tile: -tile.width)
    while tiles:
        size = 1
        if not is_cpu(batch.feature.device):
            rows = batch.feature.shape[1]
            size = max(1, ACCELERATOR_ENTRIES // (rows * max(rows, tiles[0].width)))
        yield tiles[:size]
        tiles = tiles[size:]

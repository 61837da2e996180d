"""The public contract: pseudo-labels of one scene, as stored and as opened again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stages.structures import Boxes
from stages.typing import Bool, Float32, Float64, Int32, UInt8

FORMAT = "boxgp.pseudo_labels"
FORMAT_VERSION = 1
Map = Literal["mask", "mean", "variance", "probability", "latent_mean", "latent_variance"]
BLOCK_BYTES = 256 * 1024**2


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """Masks, moments and uncertainty of K objects over S regions of N points."""

    scene: str
    superpoint: Int32[np.ndarray, " N"]
    """region of each point, -1 for points without one"""
    mask: Bool[np.ndarray, "K S"]
    """at most one True in a column"""
    mean: Float32[np.ndarray, "K S"]
    """E in [0, 1]: label of a determined region, else posterior mean of the label"""
    variance: Float32[np.ndarray, "K S"]
    """V >= 0: 0 for determined regions, else posterior variance of the label probability"""
    probability: Float32[np.ndarray, "K S"]
    """pi* in [0, 1]"""
    latent_mean: Float32[np.ndarray, "K S"]
    """moments of the Gaussian Process's function toward this object; NaN where none ran"""
    latent_variance: Float32[np.ndarray, "K S"]
    source: UInt8[np.ndarray, " S"]
    """LabelSource"""
    contested: UInt8[np.ndarray, " S"]
    """0 determined, 1 overlap (in two or more boxes), 2 background (may be background of its one box)"""
    ignore: Bool[np.ndarray, " S"]
    """regions that no loss and no mask may use"""
    uncertainty: Float32[np.ndarray, " S"]
    """entropy over possible owners, background included, scaled to [0, 1]"""
    boxes: Boxes
    class_names: tuple[str, ...]
    frame: str
    offset: Float64[np.ndarray, "3"]
    """metres that the scene's coordinates and boxes are relative to"""
    link: str
    superpoint_method: str
    superpoint_parameters: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> PseudoLabels:
        """The labels in a scene's folder of a run, in its ``data.zarr.zip``, or in a file of a release.

        Boxes of a release without geometry have NaN corners. Raises StoreError for anything else.
        """
        from stages.pseudo_labels.store import read_labels

        return read_labels(Path(path))

    def at_points(self, name: Map = "mask", objects: slice | None = None) -> np.ndarray:
        """One map expanded from regions to points, [objects, N], exactly.

        Takes N times the map's item size (1 byte for ``mask``, 4 else) a row. Points without a region get False, 0, or
        NaN for latent moments.
        """
        rows: np.ndarray = getattr(self, name)[objects if objects is not None else slice(None)]
        nothing = np.nan if name.startswith("latent") else 0
        padded = np.concatenate([rows, np.full((len(rows), 1), nothing, rows.dtype)], axis=1)
        return padded[:, self.superpoint]

    def blocks_at_points(
        self, name: Map = "mask", block_bytes: int = BLOCK_BYTES
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """``at_points`` in blocks of rows of at most ``block_bytes`` (one row at least): (rows, [R, N])."""
        row_bytes = max(len(self.superpoint) * getattr(self, name).itemsize, 1)
        rows = max(block_bytes // row_bytes, 1)
        for start in range(0, len(self.mask), rows):
            block = slice(start, min(start + rows, len(self.mask)))
            yield block, self.at_points(name, block)

"""The colours of pictures and reports: objects, sources, uncertainty; readable on white paper."""

from __future__ import annotations

import colorsys

import numpy as np

from stages.structures import LabelSource
from stages.typing import Float32, Int32, UInt8

PALETTE_SIZE = 60
BACKGROUND = (203, 207, 213)
"""points that no object owns"""
UNBOXED = (128, 128, 128)
"""truth: points of an instance that no box annotates"""
SOURCES: dict[LabelSource, tuple[int, int, int]] = {
    LabelSource.BACKGROUND: BACKGROUND,
    LabelSource.SINGLE_BOX: (44, 123, 182),
    LabelSource.CONTAINMENT: (26, 152, 139),
    LabelSource.GP: (230, 126, 34),
    LabelSource.FALLBACK: (192, 57, 43),
    LabelSource.RULE: (142, 68, 173),
    LabelSource.TRUTH: (39, 134, 68),
    LabelSource.HUMAN: (216, 27, 96),
    LabelSource.NONE: (60, 60, 60),
}
UNCERTAINTY: tuple[tuple[float, tuple[int, int, int]], ...] = (
    (0.0, (217, 222, 229)),
    (0.35, (242, 193, 78)),
    (0.7, (228, 87, 46)),
    (1.0, (90, 4, 20)),
)
"""Colour at some uncertainties, linear between them: from a grey that stays back to a red that is seen."""
_GOLDEN = 0.61803398875
"""turns between the hues of neighbours in the palette: any few of them that follow each other are far apart"""
STRIDE = 37
"""shares no factor with PALETTE_SIZE, so that regions that follow each other differ"""


def palette() -> UInt8[np.ndarray, "60 3"]:
    """Colours of objects by their position, starting again after PALETTE_SIZE."""
    strengths = ((0.85, 0.80), (0.60, 0.92), (0.95, 0.58))
    colors = [
        colorsys.hsv_to_rgb(0.58 + index * _GOLDEN, *strengths[index % len(strengths)]) for index in range(PALETTE_SIZE)
    ]
    return np.round(np.array(colors) * 255).astype(np.uint8)


def owner_colors(owner: Int32[np.ndarray, " n"]) -> UInt8[np.ndarray, "n 3"]:
    """The colour of each owner: that of object k for k >= 0, of the background for -1, of no box for -2."""
    table = np.concatenate([palette(), np.array([UNBOXED, BACKGROUND], np.uint8)])
    found: UInt8[np.ndarray, "n 3"] = table[np.where(owner >= 0, owner % PALETTE_SIZE, owner)]
    return found


def region_colors(region: Int32[np.ndarray, " n"]) -> UInt8[np.ndarray, "n 3"]:
    """A colour for each region, unlike those of regions with the next numbers; some share one. -1 as background."""
    return owner_colors(np.where(region >= 0, region % PALETTE_SIZE * STRIDE, -1).astype(np.int32))


def source_colors(source: UInt8[np.ndarray, " n"]) -> UInt8[np.ndarray, "n 3"]:
    """The colour of each label source."""
    found: UInt8[np.ndarray, "n 3"] = np.array([SOURCES[member] for member in LabelSource], np.uint8)[source]
    return found


def uncertainty_colors(uncertainty: Float32[np.ndarray, " n"]) -> UInt8[np.ndarray, "n 3"]:
    """Colours of uncertainties in [0, 1]."""
    at = [stop for stop, _ in UNCERTAINTY]
    channels = zip(*(color for _, color in UNCERTAINTY), strict=True)
    mixed = [np.interp(uncertainty, at, channel) for channel in channels]
    return np.round(np.stack(mixed, axis=-1)).astype(np.uint8)

"""Drift: what misregistered frames do to a scan, a smooth deformation under which flat surfaces become wavy."""

from __future__ import annotations

import numpy as np

from stages.typing import Float64

_WAVES = 8
SHORTEST, LONGEST = 0.7, 3.0
"""wavelengths, metres"""


def drift(xyz: Float64[np.ndarray, "N 3"], deviation: float, rng: np.random.Generator) -> Float64[np.ndarray, "N 3"]:
    """Displacement of each point: a sum of sinusoids over position, of random directions, wavelengths and phases.

    Args:
        xyz: metres.
        deviation: root mean square displacement along each axis over large volumes, metres; 0 gives exact zeros.
        rng: chooses the sinusoids; what it draws does not depend on the points or on the deviation.

    Returns:
        Metres; each axis at most sqrt(2 x 8) deviations.
    """
    direction = rng.standard_normal((_WAVES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wavelength = rng.uniform(SHORTEST, LONGEST, (_WAVES, 1))
    phase = rng.uniform(0.0, 2 * np.pi, _WAVES)
    sway = rng.standard_normal((_WAVES, 3))
    sway *= deviation * np.sqrt(2) / np.linalg.norm(sway, axis=0)  # a sine of amplitude a deviates by a / sqrt(2)
    moved: Float64[np.ndarray, "N 3"] = np.sin(xyz @ (2 * np.pi * direction / wavelength).T + phase) @ sway
    return moved

"""Colours: each room has its own few materials, so that neighbours often look alike, as in real rooms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.scenes.rooms.shapes import Paint, Vector

_WOODS = ((0.55, 0.38, 0.24), (0.70, 0.53, 0.35), (0.38, 0.24, 0.15), (0.80, 0.68, 0.50), (0.47, 0.30, 0.19))
_FABRICS = (
    (0.45, 0.45, 0.48), (0.24, 0.27, 0.34), (0.52, 0.20, 0.18), (0.70, 0.64, 0.54), (0.28, 0.38, 0.30),
    (0.34, 0.44, 0.60), (0.62, 0.50, 0.32), (0.18, 0.18, 0.19),
)  # fmt: skip
_WALLS = ((0.86, 0.84, 0.79), (0.80, 0.82, 0.83), (0.88, 0.83, 0.70), (0.74, 0.80, 0.77), (0.90, 0.90, 0.88))
_FLOORS = ((0.55, 0.42, 0.30), (0.45, 0.43, 0.41), (0.68, 0.60, 0.50), (0.36, 0.27, 0.20), (0.60, 0.60, 0.60))


class Style:
    """The materials of one room and the generator that all its choices come from."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._woods = [self._pick(_WOODS) for _ in range(2)]
        self._fabrics = [self._pick(_FABRICS) for _ in range(3)]
        self._wall, self._floor = self._pick(_WALLS), self._pick(_FLOORS)
        self._likeness = float(rng.choice([0.0, 0.3, 0.6, 0.8]))

    def _pick(self, colors: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
        return colors[int(self.rng.integers(len(colors)))]

    def _alike(self, color: Vector) -> Vector:
        """The colour, moved towards the wall, the floor or a fabric of the room by the room's likeness."""
        near = self._pick((self._wall, self._floor, self._fabrics[0]))
        moved: Vector = np.asarray(color) + self._likeness * self.rng.random() * (np.asarray(near) - np.asarray(color))
        return moved

    def _material(self, color: Vector, grain: Sequence[float], contrast: float) -> Paint:
        """The colour with a small change of its own, and a grain."""
        own = np.clip(np.asarray(color) * self.rng.uniform(0.92, 1.08) + self.rng.normal(0, 0.015, 3), 0.03, 0.97)
        return np.concatenate([own, np.asarray(grain, np.float64), [contrast]])

    def wood(self) -> Paint:
        """One of the room's woods, seldom another one."""
        color = self._pick(self._woods if self.rng.random() < 0.8 else _WOODS)
        return self._material(self._alike(color), (0.6, 9.0, 7.0), self.rng.uniform(0.05, 0.14))

    def furniture(self) -> Paint:
        """A wood, or the white of lacquered furniture."""
        return self.wood() if self.rng.random() < 0.7 else self.white()

    def fabric(self) -> Paint:
        """One of the room's fabrics, sometimes another one; some are striped."""
        color = self._pick(self._fabrics if self.rng.random() < 0.75 else _FABRICS)
        striped = self.rng.random() < 0.25
        grain, contrast = ((12.0, 5.0, 3.0), 0.16) if striped else ((31.0, 29.0, 27.0), 0.07)
        return self._material(self._alike(color), grain, contrast)

    def white(self) -> Paint:
        """White lacquer, enamel or linen."""
        return self._material((0.87, 0.86, 0.84), (2.0, 2.0, 2.0), 0.02)

    def metal(self) -> Paint:
        """Grey metal, from dark to bright."""
        return self._material((self.rng.uniform(0.3, 0.75),) * 3, (1.0, 1.0, 15.0), 0.05)

    def dark(self) -> Paint:
        """Black plastic: screens, casters, bins."""
        return self._material((0.10, 0.10, 0.11), (1.0, 1.0, 1.0), 0.03)

    def glass(self) -> Paint:
        """A window pane against the sky."""
        return self._material((0.66, 0.76, 0.84), (0.4, 0.4, 0.9), 0.12)

    def bright(self) -> Paint:
        """Any saturated colour: books, bags, pictures."""
        return self._material(self._alike(self.rng.uniform(0.1, 0.9, 3)), (5.0, 5.0, 4.0), 0.06)

    def plaster(self) -> Paint:
        """The walls."""
        return self._material(self._wall, (0.3, 0.3, 0.2), 0.03)

    def flooring(self) -> Paint:
        """Boards or carpet."""
        boards = self.rng.random() < 0.6
        return self._material(self._floor, (0.15, 7.0, 0.0) if boards else (23.0, 19.0, 0.0), 0.09)

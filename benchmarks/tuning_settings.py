"""Which constants of the joint posterior ``benchmarks.tuning`` varies, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import cast
from unittest.mock import patch

import numpy as np

from stages.posteriors import prior
from stages.posteriors.evidence import combine
from stages.posteriors.graph import observations

Setting = Mapping[str, float]
"""The constants that differ from the shipped ones."""

VALUES: dict[str, tuple[float, ...]] = {
    "straddling": (1.5, 2.0, 3.0, 3.5),
    "floor": (2.0, 3.0, 5.0, 6.0),
    "facing": (2.0, 4.0, 5.0),
    "INSIDE_ODDS": (2.0, 2.5, 3.5, 4.0),
    "NESTED_INSIDE_ODDS": (3.0, 3.5, 5.0),
    "NESTED_EXPONENT": (0.5, 0.75, 1.5),
    "CROSSING_EXPONENT": (0.0, 0.25, 0.75, 1.0),
    "POINTS_EXPONENT": (0.5, 0.625, 0.875, 1.0),
    "IN_NO_BOX": (0.025, 0.05, 0.2, 0.4),
    "IN_ONE_BOX": (0.04, 0.08, 0.32, 0.64),
    "NESTED": (0.125, 0.25, 1.0, 2.0),
    "CROSSING": (0.025, 0.05, 0.2, 0.4),
    "SEED": (0.125, 0.25, 1.0, 2.0),
    "WITHOUT_SEEDS": (1.0, 2.0, 8.0, 16.0),
}
"""Every constant with other values near the shipped one; kinds of evidence stand for their weights."""
EVEN: dict[str, tuple[float, float]] = {
    "straddling": (1.0, 5.0),
    "floor": (1.0, 6.0),
    "facing": (1.0, 6.0),
    "INSIDE_ODDS": (1.5, 5.0),
    "NESTED_INSIDE_ODDS": (1.5, 6.0),
    "NESTED_EXPONENT": (0.0, 2.0),
    "CROSSING_EXPONENT": (0.0, 1.5),
    "POINTS_EXPONENT": (0.25, 1.0),
}
LOGARITHMIC: dict[str, tuple[float, float]] = {
    "IN_NO_BOX": (0.01, 2.0),
    "IN_ONE_BOX": (0.01, 2.0),
    "NESTED": (0.01, 2.0),
    "CROSSING": (0.01, 2.0),
    "SEED": (0.05, 5.0),
    "WITHOUT_SEEDS": (0.5, 32.0),
}
"""Ranges of wide draws, of uniform distribution and of uniform logarithm; one range for all kinds of regions, so that
nothing is known but the order of magnitude."""
WEIGHTS = cast("dict[str, float]", combine.WEIGHT)
MODULES: dict[str, ModuleType] = {
    name: observations if hasattr(observations, name) else prior for name in VALUES if name not in WEIGHTS
}
"""Where each constant stands that is no weight; ``NESTED`` is that of the observations."""
SHIPPED, RANDOM, WIDE = "shipped", "random", "wide"
COMBINATIONS, WIDE_DRAWS = 40, 100


def settings() -> dict[str, Setting]:
    """All candidates, the shipped constants first, then each value alone, random combinations of them, wide draws."""
    found: dict[str, Setting] = {SHIPPED: {}}
    found |= {alone(name, value): {name: value} for name, values in VALUES.items() for value in values}
    random = np.random.default_rng(0)
    for index in range(COMBINATIONS):
        drawn = {name: float(random.choice(values)) for name, values in VALUES.items() if random.random() < 0.5}
        found[f"{RANDOM} {index}"] = drawn
    for index in range(WIDE_DRAWS):
        even = {name: float(random.uniform(*limits)) for name, limits in EVEN.items()}
        spread = {name: float(np.exp(random.uniform(*np.log(limits)))) for name, limits in LOGARITHMIC.items()}
        found[f"{WIDE} {index}"] = even | spread
    return found


def alone(constant: str, value: float) -> str:
    """Name of the setting that changes one constant."""
    return f"{constant} {value:g}"


def shipped(constant: str) -> float:
    """The value of a constant in the stages."""
    return WEIGHTS[constant] if constant in WEIGHTS else float(getattr(MODULES[constant], constant))


@contextmanager
def changed(setting: Setting) -> Iterator[None]:
    """Constants of the stages as in ``setting`` while the block runs.

    They are no options, since nobody is to tune them; hence the stages' own functions are run under other constants.
    """
    with ExitStack() as stack:
        for name, value in setting.items():
            if name in WEIGHTS:
                stack.enter_context(patch.dict(WEIGHTS, {name: value}))
            else:
                stack.enter_context(patch.object(MODULES[name], name, value))
        yield

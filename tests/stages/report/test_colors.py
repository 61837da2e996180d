import numpy as np

from stages.report.colors import (
    BACKGROUND,
    PALETTE_SIZE,
    SOURCES,
    STRIDE,
    UNBOXED,
    UNCERTAINTY,
    owner_colors,
    palette,
    region_colors,
    source_colors,
    uncertainty_colors,
)
from stages.structures import LabelSource


def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.abs(one.astype(int) - other.astype(int)).sum(axis=-1)
    return found


def test_colors_of_objects_differ_and_those_of_neighbours_differ_much() -> None:
    colors = palette()
    assert colors.shape == (PALETTE_SIZE, 3)
    assert len(np.unique(colors, axis=0)) == PALETTE_SIZE
    assert distance(colors[1:], colors[:-1]).min() > 120
    assert distance(colors, np.array(BACKGROUND)).min() > 60


def test_owners_repeat_after_the_palette_and_have_no_color_below_zero() -> None:
    found = owner_colors(np.array([0, PALETTE_SIZE, -1, -2], np.int32))
    assert found[0].tolist() == found[1].tolist()
    assert tuple(found[2].tolist()) == BACKGROUND
    assert tuple(found[3].tolist()) == UNBOXED


def test_regions_with_the_next_numbers_differ_as_page_js_computes_them() -> None:
    region = np.arange(500, dtype=np.int32)
    colors = region_colors(region)
    assert distance(colors[1:], colors[:-1]).min() > 60
    assert colors.tolist() == palette()[region % PALETTE_SIZE * STRIDE % PALETTE_SIZE].tolist()
    assert np.gcd(STRIDE, PALETTE_SIZE) == 1


def test_every_source_has_a_color_of_its_own() -> None:
    assert list(SOURCES) == list(LabelSource)
    colors = source_colors(np.arange(len(LabelSource), dtype=np.uint8))
    assert len(np.unique(colors, axis=0)) == len(LabelSource)


def test_uncertainty_runs_through_its_stops_and_gets_darker() -> None:
    at = np.array([stop for stop, _ in UNCERTAINTY], np.float32)
    assert uncertainty_colors(at).tolist() == [list(color) for _, color in UNCERTAINTY]
    light = uncertainty_colors(np.linspace(0, 1, 11, dtype=np.float32)) @ np.array([0.299, 0.587, 0.114])
    assert np.all(np.diff(light) < 0)

import pytest

from benchmarks.growth import FIT_FROM, exponent, exponents
from benchmarks.runs import STAGES


def test_exponent_of_a_power_law() -> None:
    sizes = [10.0, 30.0, 500.0]
    assert exponent(sizes, [7 * size**1.5 for size in sizes]) == pytest.approx(1.5)
    assert exponent(sizes, [2.0] * 3) == pytest.approx(0.0)


def test_exponent_needs_two_sizes() -> None:
    assert exponent([5.0, 5.0], [1.0, 2.0]) is None
    assert exponent([0.0, 5.0], [1.0, 2.0]) is None


def test_small_rooms_have_no_say() -> None:
    rows = [
        {
            "points": points,
            "regions": points // 10,
            "boxes": 5,
            "pairs": 20,
            "seconds": points**2.0,
            "cpu_seconds": points**1.5,
            "labelling_seconds": points**1.1,
            "peak_bytes": points,
            "stages": dict.fromkeys(STAGES, float(points)),
        }
        for points in (FIT_FROM, 2 * FIT_FROM, 8 * FIT_FROM)
    ]
    small = rows[0] | {"points": FIT_FROM // 2, "seconds": 1e12}
    found = exponents([small, *rows])
    assert found["points"]["seconds"] == pytest.approx(2.0)
    assert found["regions"]["features"] == pytest.approx(1.0)
    assert found["pairs"]["seconds"] is None

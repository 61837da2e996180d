from dataclasses import replace

import numpy as np
import pytest

from stages.evaluation.drift import Owners, SceneDrift
from stages.evaluation.records import SceneEvaluation
from stages.summary.drift import DriftFigures, collapse, pool_drift
from stages.summary.figures import pool_figures
from stages.summary.table import WIDTH, summary_table
from tests.stages.summary.test_figures import HALF, RIGHT

SOURCES = np.array([300, 0, 0, 700, 0, 0, 0, 0, 0])


def scene(
    name: str,
    before: list[int],
    now: list[int],
    moved: tuple[int, int, int] = (0, 0, 0),
    uncertainty: tuple[float, float] = (0.4, 0.3),
    points: int = 1000,
) -> SceneEvaluation:
    """A scene without ground truth whose objects had and have so many points."""
    drift = SceneDrift(np.array(before, np.int64), np.array(now, np.int64), SOURCES, uncertainty[0], *moved)
    return replace(HALF, scene=name, owners=Owners(np.zeros(0, np.int32), points, uncertainty[1]), drift=drift)


def figures_of(*scenes: SceneEvaluation) -> DriftFigures:
    found = pool_drift(scenes)
    assert found is not None
    return found


def alarms(*scenes: SceneEvaluation) -> tuple[str, ...]:
    return collapse(pool_drift(scenes), scenes)


def test_figures_are_pooled_over_points_and_objects() -> None:
    found = figures_of(
        scene("a", [400, 100, 0], [400, 49, 20], (10, 20, 30)),
        scene("b", [1000, 80, 4], [1000, 20, 0], (0, 64, 0), (0.1, 0.0), points=3000),
    )
    assert (found.scenes, found.points) == (2, 4000)
    assert (found.foreground_before, found.foreground) == (1584 / 4000, 1489 / 4000)
    assert (found.object_to_object, found.object_to_background, found.background_to_object) == (
        10 / 4000,
        84 / 4000,
        30 / 4000,
    )
    assert found.changed == 124 / 4000
    assert found.uncertainty_before == pytest.approx(0.175)
    assert found.uncertainty == pytest.approx(0.075)
    # the object that had no point before is none that could lose any
    assert (found.objects, found.halved, found.mostly_lost, found.vanished) == (5, 3, 2, 1)
    assert found.source_share_before == {"background": 0.3, "gp": 0.7}


def test_the_first_round_does_not_drift() -> None:
    assert pool_drift([RIGHT, HALF]) is None
    assert collapse(None, [RIGHT, HALF]) == ()
    assert pool_figures([RIGHT, HALF]).as_dict()["drift"] is None


def test_a_usual_round_raises_no_alarm() -> None:
    # as seen on built-in rooms: uncertainty falls, a few points in a hundred change, few objects lose half of theirs
    usual = [scene(f"{k}", [900], [895 if k else 400], (3, 8, 5), (0.42, 0.25)) for k in range(20)]
    assert alarms(*usual) == ()


def test_objects_that_vanish_raise_one() -> None:
    scenes = [scene(f"s{k}", [90] * 10, [90] * (10 - k) + [0] * k) for k in range(8)]
    (alarm,) = alarms(*scenes)
    assert "28 of 80 objects (35 %) lost at least three quarters of their points, 28 of them all" in alarm
    assert "(worst in s7: 7 objects; s6: 6 objects; s5: 5 objects; s4: 4 objects; s3: 3 objects)" in alarm
    assert "posteriors.network_weight" in alarm


@pytest.mark.parametrize(("lost", "alarm"), [(10, False), (11, True)])
def test_a_tenth_of_the_objects_may_go(lost: int, alarm: bool) -> None:
    one = scene("s", [9] * 100, [9] * (100 - lost) + [2] * lost)
    assert bool(alarms(one)) == alarm


def test_two_objects_say_nothing() -> None:
    assert alarms(scene("s", [400, 9, 9], [400, 0, 0])) == ()
    assert alarms(scene("s", [400, 9, 9, 9], [400, 0, 0, 0])) != ()


@pytest.mark.parametrize(("now", "alarm"), [(451, False), (450, True), (0, True), (1799, False), (1800, True)])
def test_foreground_that_halves_or_doubles(now: int, alarm: bool) -> None:
    found = alarms(scene("s", [900], [now], points=2000), scene("calm", [0], [0], points=0))
    assert bool(found) == alarm
    if now == 450:
        assert "objects own 22.5 % of the points in boxes, 45.0 % before (worst in s: 450 points)" in found[0]


@pytest.mark.parametrize(
    ("moved", "uncertainty", "alarm"),
    [
        ((100, 50, 51), (0.4, 0.2), True),
        ((100, 50, 50), (0.4, 0.2), False),
        ((100, 50, 51), (0.4, 0.21), False),
        ((100, 50, 51), (0.0, 0.0), False),
    ],
)
def test_growing_sure_of_something_else(
    moved: tuple[int, int, int], uncertainty: tuple[float, float], alarm: bool
) -> None:
    found = alarms(scene("s", [900], [900], moved, uncertainty))
    assert bool(found) == alarm
    if alarm:
        assert (
            "20.1 % of the points in boxes changed their owner while the mean uncertainty fell from 0.400" in found[0]
        )


def test_nothing_in_any_box() -> None:
    assert alarms(scene("s", [], [], points=0)) == ()


def test_drift_stands_in_the_table() -> None:
    scenes = [scene(f"a_long_name_of_a_scene_{k}", [90] * 10, [90] * 5 + [0] * 5, (9, 450, 3)) for k in range(6)]
    figures = pool_figures(scenes)
    lines = summary_table(figures, [], collapse(figures.drift, scenes), False).splitlines()
    assert max(map(len, lines)) <= WIDTH
    start = next(place for place, line in enumerate(lines) if line.startswith("drift between rounds"))
    rows = [line.rsplit(maxsplit=4) for line in lines[start + 1 : start + 6]]
    assert ["decided by gp", "70.0", "%", "0.0", "%"] in rows
    assert ["owned by objects", "90.0", "%", "45.0", "%"] in rows
    assert "60 objects: 30 lost more than half of their points, 30 three quarters, 30 all" in lines
    assert any("look like a collapse" in line for line in lines)

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import tuning
from benchmarks.runs import figures, run
from benchmarks.tuning import (
    BEST,
    CONDITIONS,
    DRAWN_WIDE,
    LEFT_OUT,
    TOGETHER,
    TRANSFER,
    Outcome,
    Outcomes,
    best,
    case_of,
    figures_of,
    labels_of,
    outcomes_of,
    rendered,
    summary_of,
    without_room,
)
from benchmarks.tuning_settings import (
    EVEN,
    LOGARITHMIC,
    MODULES,
    SHIPPED,
    VALUES,
    WEIGHTS,
    alone,
    changed,
    settings,
    shipped,
)
from benchmarks.workload import Load, partition, rooms_load
from stages.evaluation.calibration import OwnerSamples

ROOM = rooms_load(1, 8000)
EXACT, SCALED = "exact boxes", "scale and shift ± 5 %"
NO_SAMPLES = OwnerSamples(
    np.zeros(0, np.float32),
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
    np.zeros(0, np.float32),
    np.zeros(0, np.uint8),
)


def outcomes(iou: dict[str, dict[str, float]]) -> Outcomes:
    """Made-up outcomes: one object a scan."""
    return {
        setting: {scan: Outcome(np.array([value]), NO_SAMPLES) for scan, value in scans.items()}
        for setting, scans in iou.items()
    }


TWO_ROOMS = outcomes(
    {
        SHIPPED: {"scene0000_00": 0.72, "scene0000_01": 0.72, "scene0001_00": 0.72},
        "good in room 0": {"scene0000_00": 0.92, "scene0000_01": 0.92, "scene0001_00": 0.52},
        "good in room 1": {"scene0000_00": 0.52, "scene0000_01": 0.62, "scene0001_00": 0.92},
    }
)


def test_settings_differ_from_one_another_and_from_the_shipped_constants() -> None:
    found = settings()
    assert next(iter(found.items())) == (SHIPPED, {})
    assert len({tuple(sorted(setting.items())) for setting in found.values()}) == len(found)
    for constant, values in VALUES.items():
        assert shipped(constant) not in values
    assert settings() == found


def test_every_weight_of_evidence_is_varied_and_wide_draws_vary_every_constant() -> None:
    assert set(WEIGHTS) <= set(VALUES)
    assert set(EVEN) | set(LOGARITHMIC) == set(VALUES)
    for constant, (low, high) in (EVEN | LOGARITHMIC).items():
        assert low < shipped(constant) < high
        assert all(low <= setting[constant] <= high for name, setting in settings().items() if name.startswith("wide"))
    assert set(MODULES) == set(VALUES) - set(WEIGHTS)


def test_constants_change_for_the_block_alone() -> None:
    before = (dict(WEIGHTS), [getattr(module, name) for name, module in MODULES.items()])
    with changed(dict.fromkeys(VALUES, 77.0)):
        assert set(WEIGHTS.values()) == {77.0}
        assert {getattr(module, name) for name, module in MODULES.items()} == {77.0}
    assert (dict(WEIGHTS), [getattr(module, name) for name, module in MODULES.items()]) == before


def _run(condition: str, folder: Path) -> Path:
    run("folder", ROOM, CONDITIONS[condition], folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command's run on exact boxes."""
    return _run(EXACT, tmp_path_factory.mktemp("exact"))


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command's run on boxes whose faces are not trusted."""
    return _run(SCALED, tmp_path_factory.mktemp("scaled"))


def _case(condition: str, output: Path) -> tuning.Case:
    under = Load(ROOM.name, (*ROOM.settings, *CONDITIONS[condition]))
    found = partition(under, "folder", output)
    return case_of(found.scans[0], found.posteriors, found.fusion)


def test_shipped_constants_give_the_figures_of_the_command(exact: Path, scaled: Path) -> None:
    for condition, output in ((EXACT, exact), (SCALED, scaled)):
        expected = figures(output)
        found = outcomes_of(ROOM, condition, output, {SHIPPED: {}})
        ours = figures_of(found, dict.fromkeys(found[SHIPPED], SHIPPED))
        for name in ("ap", "ap50", "ap90", "mean_iou"):
            assert ours[name] == expected["labels"][name]
        for kind in ("overlap", "background"):
            assert ours[f"ece_{kind}"] == expected["calibration"][kind]["ece"]


def test_every_constant_matters_while_it_is_changed(exact: Path, scaled: Path) -> None:
    seeded, uncertain = _case(EXACT, exact), _case(SCALED, scaled)
    assert seeded.prepared.seed is not None
    assert not seeded.doubt.any()
    assert uncertain.prepared.seed is None
    assert uncertain.doubt.any()
    for case, constants in ((seeded, set(VALUES) - {"WITHOUT_SEEDS"}), (uncertain, {"WITHOUT_SEEDS"})):
        before = labels_of(case).probability
        for constant in sorted(constants):
            with changed({constant: VALUES[constant][0]}):
                assert not np.array_equal(labels_of(case).probability, before), constant
        assert np.array_equal(labels_of(case).probability, before)


def test_a_room_is_judged_by_what_is_best_elsewhere() -> None:
    assert without_room([TWO_ROOMS]) == {"scene0000": "good in room 1", "scene0001": "good in room 0"}
    assert best([TWO_ROOMS], list(TWO_ROOMS[SHIPPED])) == "good in room 0"
    assert without_room([outcomes({SHIPPED: {"scene0000_00": 0.7, "scene0000_01": 0.7}})]) == {}


def test_the_first_of_equal_settings_is_chosen_and_conditions_count_alike() -> None:
    scans = {"a": 0.7}
    assert best([outcomes({SHIPPED: scans, "other": scans})], ["a"]) == SHIPPED
    other = outcomes({SHIPPED: {"a": 0.5}, "other": {"a": 0.95}})
    worse = outcomes({SHIPPED: {"a": 0.7}, "other": {"a": 0.6}})
    assert best([worse], ["a"]) == SHIPPED
    assert best([worse, other], ["a"]) == "other"


def test_rows_pool_each_room_under_its_own_setting() -> None:
    found = summary_of({EXACT: TWO_ROOMS}, "good in room 1")[EXACT]
    assert (found["scenes"], found["rooms"], found["objects"]) == (3, 2, 3)
    rows = found["rows"]
    assert list(rows) == [SHIPPED, LEFT_OUT, TOGETHER, TRANSFER, BEST]
    assert rows[SHIPPED]["mean_iou"] == pytest.approx(0.72)
    assert rows[LEFT_OUT]["mean_iou"] == pytest.approx((0.52 + 0.62 + 0.52) / 3)
    assert rows[TRANSFER]["mean_iou"] == pytest.approx((0.52 + 0.62 + 0.92) / 3)
    assert rows[BEST]["mean_iou"] == pytest.approx((0.92 + 0.92 + 0.52) / 3)
    assert found["ap"][SHIPPED] == pytest.approx(5 / 9)
    one_room = outcomes({SHIPPED: {"one": 0.7}})
    assert list(summary_of({EXACT: one_room}, None)[EXACT]["rows"]) == [SHIPPED, BEST]


def test_wide_draws_compete_among_themselves() -> None:
    wide = {"scene0000_00": 0.95, "scene0000_01": 0.95, "scene0001_00": 0.95}
    found = summary_of({EXACT: TWO_ROOMS | outcomes({"wide 0": wide})}, None)[EXACT]
    assert set(found["chosen"][DRAWN_WIDE].values()) == {"wide 0"}
    assert "wide 0" not in found["chosen"][LEFT_OUT].values()
    assert "wide 0" not in found["chosen"][TOGETHER].values()
    assert set(found["chosen"][BEST].values()) == {"wide 0"}


def test_tables_show_every_row_and_the_range_of_each_constant() -> None:
    name = alone("floor", 2.0)
    found = outcomes({SHIPPED: {"a": 0.72, "b": 0.72}, name: {"a": 0.62, "b": 0.52}, "random 0": {"a": 0.9, "b": 0.5}})
    machine = {"cpu": "a processor", "cores": 2, "threads": 1, "load_average": 0.5, "torch": "2", "python": "3"}
    content: dict[str, Any] = {
        "machine": machine | {"gpu": None},
        "settings": {SHIPPED: {}, name: {"floor": 2.0}, "random 0": {"floor": 3.0, "facing": 2.0}},
        "rooms": summary_of({EXACT: found}, None),
    }
    text = rendered(content)
    assert text.startswith("2 built-in rooms, 2 rooms, 2 objects:\n\n| boxes | constants | AP |")
    assert f"| exact boxes | {SHIPPED} | 0.556 | 1.000 |" in text
    assert f"| exact boxes | {BEST} |" in text
    assert f"| `floor` | {WEIGHTS['floor']:g}: 2 | 0.222 |" in text
    assert "`facing`" not in text
    assert "| several at random |  | 0.444 |" in text
    assert "3 settings, shipped among them. a processor" in text

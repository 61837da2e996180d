import importlib
from collections.abc import Mapping

import pytest

from benchmarks import ablations, calibration, noise
from benchmarks.ablations import FEW_REAL, FEW_ROOMS, TABLES, WAYS, few, folder_of
from benchmarks.workload import Load, rooms_load
from pipeline.config import load_config
from pipeline.stage import Stage
from stages import PIPELINE


@pytest.fixture(scope="module")
def stages() -> list[type[Stage]]:
    named = [path.split(":") for path in PIPELINE]
    return [getattr(importlib.import_module(module), name) for module, name in named]


@pytest.mark.parametrize("ways", [ablations.WAYS, calibration.WAYS], ids=["ablations", "calibration"])
def test_every_way_is_a_valid_configuration(ways: Mapping[str, ablations.Way], stages: list[type[Stage]]) -> None:
    for configuration, settings in ways.values():
        load_config(configuration, ["scenes.path=scans", *settings], stages)


def test_every_condition_is_a_valid_configuration(stages: list[type[Stage]]) -> None:
    found = [
        load_config("folder", ["scenes.path=scans", *noise.settings_of(condition)], stages).sections["scenes"]
        for condition in noise.CONDITIONS
    ]
    assert len({str(section) for section in found}) == len(noise.CONDITIONS)


def test_every_way_stands_in_a_table_and_differs_from_the_others() -> None:
    assert {way for rows in TABLES.values() for way in rows.values()} == set(WAYS)
    assert len({(configuration, *settings) for configuration, settings in WAYS.values()}) == len(WAYS)


def test_ways_share_a_folder_only_if_they_share_their_regions(stages: list[type[Stage]]) -> None:
    regions: dict[str, set[str]] = {}
    for way in WAYS.values():
        config = load_config(way[0], ["scenes.path=scans", *way[1]], stages)
        regions.setdefault(folder_of(way), set()).add(str(config.sections["superpoints"]))
    assert {len(found) for found in regions.values()} == {1}


def test_few_scans_are_of_different_rooms() -> None:
    load = Load("real", (), "scene0000_00,scene0000_01,scene0001_00,scene0001_01,scene0002_00,scene0003_00")
    assert few(load, "real").scenes == "scene0000_00,scene0001_00,scene0002_00"
    assert FEW_REAL == 3
    assert few(rooms_load(8, 1000), "rooms").settings == (
        "scenes.source=rooms",
        "scenes.points=1000",
        f"scenes.count={FEW_ROOMS}",
    )

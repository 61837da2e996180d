"""The benchmark of second labels: its ways, its differences, and that it makes the labels of the second round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.second_labels import (
    DEEP,
    MEASURES,
    NOTHING,
    NOTHING_PAIRS,
    Room,
    Way,
    measure,
    overlaps,
    paired,
    raw,
    rendered,
    rooms_of,
    standardised,
    ways,
    with_affinity,
)
from pipeline.stage import Array, Result
from pipeline.store import commit
from stages.features.handcrafted import region_features
from stages.inference.records import Predictions, to_arrays
from stages.stores import features_result, scene_result, superpoints_result
from stages.structures import Superpoints
from stages.superpoints.partition import partition_scene
from tests.stages.scenery import PARAMETERS, two_objects


def room(certain: float = 0.9) -> Room:
    """Two objects, whose instances the network has found, as sure as ``certain``."""
    scene = two_objects()
    superpoints = partition_scene(scene, "points", PARAMETERS)
    assert scene.instance is not None
    regions = len(superpoints)
    instance = np.array([scene.instance[superpoints.superpoint == region][0] for region in range(regions)])
    mask = np.unique(instance[instance >= 0])[:, None] == instance
    features = region_features(
        scene.xyz, scene.rgb, superpoints.surface.normal, superpoints.superpoint, regions, ("position", "color"), 1.0
    )
    found = Predictions(
        mask,
        np.zeros(len(mask), np.int32),
        np.ones(len(mask), np.float32),
        np.where(mask, certain, 1 - certain).astype(np.float32),
        np.full(mask.shape, 0.5, np.float32),
        np.zeros(mask.shape, np.float32),
        np.random.default_rng(0).normal(size=(regions, 5)).astype(np.float32),
    )
    return Room(scene, superpoints, features, found)


def stored(folder: Path, one: Room, names: list[str]) -> None:
    """``one`` as rooms of a run."""
    arrays = {name: Array(values, dimensions) for name, (values, dimensions) in to_arrays(one.predictions).items()}
    results = {
        "scenes": scene_result(one.scene),
        "superpoints": superpoints_result(one.superpoints),
        "round_00/features": features_result(one.features),
        "round_00/inference": Result(arrays),
    }
    for name in names:
        for stage, result in results.items():
            commit(folder / stage / name, result, {"fingerprint": name})
    sections = {"splits": {"val": names[-1:], "test": []}, "scenes": {"noise": {"corner": 0.05, "drop": 0.0}}}
    (folder / "config.yaml").write_text(yaml.safe_dump(sections))


def test_a_good_network_makes_labels_no_worse_and_no_network_changes_nothing() -> None:
    one = room()
    nothing = overlaps(one, Way())
    np.testing.assert_array_equal(overlaps(one, Way({"network_weight": 0.0})), nothing)
    assert (overlaps(one, Way({"network_weight": 2.0})) >= nothing).all()
    wrong = room(certain=0.02)
    assert (overlaps(wrong, Way({"network_weight": 2.0})) < nothing).any()


@pytest.mark.parametrize("name", DEEP)
def test_every_description_can_be_compared(name: str) -> None:
    one = room()
    for way in (Way(affinity=(DEEP[name], 0.5)), Way({"engine": "laplace"}, compared=DEEP[name])):
        assert np.isfinite(overlaps(one, way)).all()


def test_alike_regions_keep_their_affinity() -> None:
    superpoints: Superpoints = room().superpoints
    compared = np.zeros((len(superpoints), 3))
    np.testing.assert_array_equal(with_affinity(superpoints, compared, 0.5).affinity, superpoints.affinity)
    compared[0] = (0.3, 0.0, 0.4)
    ratio = with_affinity(superpoints, compared, 0.5).affinity / superpoints.affinity
    first = np.repeat(np.arange(len(superpoints)), np.diff(superpoints.indptr))
    touched = (first == 0) | (superpoints.neighbor == 0)
    assert touched.any()
    np.testing.assert_allclose(ratio[touched], np.exp(-0.5), rtol=1e-5)
    np.testing.assert_array_equal(ratio[~touched], 1.0)


def test_standardised_columns_weigh_the_same_and_raw_ones_do_not() -> None:
    one = room()
    one.predictions.region_feature[:, 0] *= 10
    one.predictions.region_feature[:, 1] = 3
    spread = standardised(one).std(axis=0)
    np.testing.assert_allclose(spread[[0, 2, 3, 4]], spread[0], rtol=1e-6)
    assert spread[1] == 0
    assert raw(one).std(axis=0)[0] > 5 * raw(one).std(axis=0)[2]


def test_differences_are_paired_over_rooms() -> None:
    mine = [np.array([0.95, 0.2]), np.array([0.95]), np.array([np.nan])]
    other = [np.array([0.2, 0.2]), np.array([0.95]), np.array([np.nan])]
    found = paired(mine, other)
    assert set(found) == set(MEASURES)
    assert found["ap"] == pytest.approx((0.25, 0.25))
    assert found["mean_iou"] == pytest.approx((0.1875, 0.1875))
    with pytest.raises(SystemExit, match="two rooms"):
        paired(mine[:1], other[:1])


def test_every_way_is_compared_with_one_that_is_measured() -> None:
    every = ways()
    assert {way.reference for way in every.values()} == {NOTHING, NOTHING_PAIRS}
    assert next(iter(every)) == NOTHING


def test_rooms_of_a_run_are_measured_and_shown(tmp_path: Path) -> None:
    one = room()
    stored(tmp_path, one, ["room_0000", "room_0001", "room_0002"])
    assert len(rooms_of(tmp_path)) == 2  # the last one is held out
    chosen = {NOTHING: Way(), "masks": Way({"network_weight": 1.0})}
    found = measure(tmp_path, chosen)
    assert found["noise"] == {"corner": 0.05}
    assert (found["rooms"], found["objects"]) == (2, 2 * len(one.scene.boxes))
    assert found["ways"][NOTHING]["difference"]["ap"] == (0.0, 0.0)
    text = rendered({"runs": {"small": found}})
    assert text.startswith(f"Noise of boxes: corner 0.05; 2 rooms, {found['objects']} objects.")
    assert "| masks |" in text


def test_a_run_without_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"training\.network"):
        rooms_of(tmp_path)

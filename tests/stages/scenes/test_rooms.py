from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from pydantic import ValidationError

from stages.scenes import rooms_reader
from stages.scenes.classes import SCANNET18
from stages.scenes.rooms.build import build_room
from stages.scenes.rooms.layout import Claim, Room, furnish
from stages.scenes.rooms_config import RoomsConfig

SEEDS = range(10)
NOISE = 0.003
DRIFT = 4 * NOISE


class Truth(NamedTuple):
    """What a built-in room always has."""

    xyz: np.ndarray
    rgb: np.ndarray
    instance: np.ndarray
    semantic: np.ndarray
    instance_class: np.ndarray


def built(seed: int, **options: Any) -> Truth:
    room = build_room(seed, **options)
    assert room.normals is None
    assert len(room.boxes) == 0
    assert room.class_names == tuple(SCANNET18)
    assert room.rgb is not None
    assert room.instance is not None
    assert room.semantic is not None
    assert room.instance_class is not None
    return Truth(room.xyz, room.rgb, room.instance, room.semantic, room.instance_class)


@pytest.fixture(scope="module")
def rooms() -> list[Truth]:
    return [built(seed, points=20_000, scanner_noise=NOISE) for seed in SEEDS]


@pytest.fixture(scope="module")
def exact() -> list[Truth]:
    """The same rooms without noise and drift."""
    return [built(seed, points=20_000, scanner_noise=0.0) for seed in SEEDS]


@pytest.fixture(scope="module")
def layouts() -> list[Room]:
    """The rooms that ``build_room`` scans for the same seeds."""
    parts = [np.random.SeedSequence(seed).spawn(2)[0] for seed in SEEDS]
    return [furnish(np.random.default_rng(part), 3.0, 7.0, 1.0) for part in parts]


def boxes(room: Truth) -> np.ndarray:
    inside = [room.xyz[room.instance == i] for i in range(len(room.instance_class))]
    return np.array([np.concatenate([points.min(axis=0), points.max(axis=0)]) for points in inside])


def overlapping_share(corners: np.ndarray) -> float:
    low = np.maximum(corners[:, None, :3], corners[None, :, :3])
    high = np.minimum(corners[:, None, 3:], corners[None, :, 3:])
    meet = (high > low).all(axis=2)
    np.fill_diagonal(meet, val=False)
    return float(meet.any(axis=1).mean())


def test_arrays_are_complete_and_consistent(rooms: list[Truth]) -> None:
    for room in rooms:
        assert room.xyz.shape == room.rgb.shape == (20_000, 3)
        ids, counts = np.unique(room.instance, return_counts=True)
        np.testing.assert_array_equal(ids, np.arange(-1, len(room.instance_class)))
        assert counts[1:].min() >= 30
        annotated = room.instance >= 0
        expected = np.array(list(SCANNET18.values()))[room.instance_class][room.instance[annotated]]
        np.testing.assert_array_equal(room.semantic[annotated], expected)
        assert set(np.unique(room.semantic)) <= {0, 1, 2, *SCANNET18.values()}
        assert {1, 2} <= set(room.semantic[~annotated])


@pytest.mark.parametrize("points", [100, 7_777, 50_000])
def test_number_of_points_is_exact(points: int) -> None:
    assert len(built(3, points=points).xyz) == points


def test_same_seed_gives_the_same_bytes_and_another_seed_another_room(rooms: list[Truth]) -> None:
    again = built(SEEDS[2], points=20_000, scanner_noise=NOISE)
    for array, before in zip(again, rooms[2], strict=True):
        assert array.tobytes() == before.tobytes()
    extents = {tuple(np.ptp(room.xyz[room.semantic == 2], axis=0)) for room in rooms}
    assert len(extents) == len(rooms)


def test_layout_does_not_depend_on_how_it_is_scanned() -> None:
    plain, noisy = built(4, points=3_000), built(4, points=9_000, scanner_noise=0.02)
    floors = [room.xyz[room.semantic == 2] for room in (plain, noisy)]
    np.testing.assert_allclose(floors[0].max(axis=0)[:2], floors[1].max(axis=0)[:2], atol=0.15)


def test_points_of_an_object_lie_within_the_object(exact: list[Truth], layouts: list[Room]) -> None:
    for layout, room in zip(layouts, exact, strict=True):
        annotated = [part for part in layout.pieces if part.semantic in SCANNET18.values()]
        bounds = np.array([[p.mesh.triangles.min(axis=(0, 1)), p.mesh.triangles.max(axis=(0, 1))] for p in annotated])
        for corners, class_index in zip(boxes(room), room.instance_class, strict=True):
            semantic = list(SCANNET18.values())[class_index]
            fits = [
                part.semantic == semantic
                and bool((corners[:3] >= low - 1e-5).all() and (corners[3:] <= high + 1e-5).all())
                for part, (low, high) in zip(annotated, bounds, strict=True)
            ]
            assert any(fits)


def test_room_is_where_it_should_be(exact: list[Truth], layouts: list[Room]) -> None:
    for layout, room in zip(layouts, exact, strict=True):
        low, high = np.zeros(3), np.array([layout.width, layout.depth, layout.height])
        recess = np.array([0.1, 0.1, 0.0])  # doors and windows reach 9 cm into their walls
        assert (room.xyz >= low - recess - 1e-5).all()
        assert (room.xyz <= high + recess + 1e-5).all()
        assert ((high[:2] >= 3) & (high[:2] <= 7)).all()
        floor = room.xyz[room.semantic == 2]
        np.testing.assert_allclose(floor[:, 2], 0, atol=1e-5)


def test_noise_and_drift_move_the_points_of_the_exact_room(rooms: list[Truth], exact: list[Truth]) -> None:
    for noisy, plain in zip(rooms, exact, strict=True):
        np.testing.assert_array_equal(noisy.instance, plain.instance)
        moved = (noisy.xyz - plain.xyz)[plain.semantic > 0]
        assert np.abs(moved).max() < 4 * DRIFT + 6 * NOISE
        # neighbours within 10 cm move together: what their cells do not share is the scanner's noise
        cell = np.unique(np.floor(plain.xyz[plain.semantic > 0] / 0.1), axis=0, return_inverse=True)[1].ravel()
        count = np.bincount(cell)
        for axis in moved.T:
            together = np.bincount(cell, axis) / count
            assert 0.3 * DRIFT < together.std() < 1.7 * DRIFT
            assert (axis - together[cell]).std() < 1.5 * NOISE


def shares(room: Truth) -> tuple[float, float, float]:
    """Of points on annotated objects, of points in two or more boxes, of other points among those in any box."""
    corners = boxes(room)
    within = ((room.xyz[:, None] >= corners[:, :3]) & (room.xyz[:, None] <= corners[:, 3:])).all(axis=2).sum(axis=1)
    annotated = room.instance >= 0
    return float(annotated.mean()), float((within >= 2).mean()), float((~annotated)[within >= 1].mean())


def test_boxes_hold_as_much_else_as_in_real_rooms(rooms: list[Truth]) -> None:
    annotated, multiple, background = np.mean([shares(room) for room in rooms], axis=0)
    assert 0.3 < annotated < 0.5
    assert 0.025 < multiple < 0.065
    assert 0.14 < background < 0.28


def test_boxes_overlap_as_in_real_rooms(rooms: list[Truth]) -> None:
    assert 0.5 < np.mean([overlapping_share(boxes(room)) for room in rooms]) < 0.85
    counts = [len(room.instance_class) for room in rooms]
    assert 14 < np.mean(counts) < 28
    assert len({c for room in rooms for c in room.instance_class}) >= 12


def test_things_that_nobody_annotated_lie_inside_boxes(rooms: list[Truth]) -> None:
    for room in rooms:
        clutter = room.xyz[room.semantic == 0]
        inside = ((clutter[:, None] >= boxes(room)[:, :3]) & (clutter[:, None] <= boxes(room)[:, 3:])).all(axis=2)
        assert inside.any()


def test_instances_with_too_few_points_are_not_annotated(rooms: list[Truth]) -> None:
    strict = built(SEEDS[1], points=20_000, scanner_noise=NOISE, minimum_instance_points=300)
    loose = rooms[1]
    assert np.bincount(strict.instance[strict.instance >= 0]).min() >= 300
    assert 0 < len(strict.instance_class) < len(loose.instance_class)
    kept = np.bincount(loose.instance[loose.instance >= 0]) >= 300
    np.testing.assert_array_equal(strict.instance_class, loose.instance_class[kept])
    np.testing.assert_array_equal(strict.xyz, loose.xyz)


def test_occlusion_hides_surfaces() -> None:
    seen, everything = built(5, points=20_000), built(5, points=20_000, occlusion=False)
    shown = [len(np.unique(np.floor(r.xyz[r.semantic == 2][:, :2] / 0.1), axis=0)) for r in (seen, everything)]
    assert shown[0] < 0.97 * shown[1]


def test_empty_room_has_no_furniture() -> None:
    room = built(6, points=5_000, density=0.0)
    names = {list(SCANNET18)[i] for i in room.instance_class}
    assert names <= {"door", "window", "curtain"}


def claim(
    x: float, y: float, width: float, depth: float, yaw: float = 0.0, low: float = 0.0, high: float = 1.0
) -> Claim:
    return Claim(np.array([x, y]), np.array([width, depth]) / 2, yaw, low, high)


def test_claims_meet_in_the_plane_and_in_height() -> None:
    square = claim(0.0, 0.0, 2.0, 2.0)
    assert square.meets(claim(1.9, 0.0, 2.0, 2.0))
    assert not square.meets(claim(2.1, 0.0, 2.0, 2.0))
    assert not square.meets(claim(0.0, 0.0, 2.0, 2.0, low=1.0, high=2.0))
    assert square.meets(claim(0.0, 0.0, 2.0, 2.0, low=0.9, high=2.0))
    # a turned square reaches sqrt(2) along x, but its corner region stays free
    assert square.meets(claim(2.3, 0.0, 2.0, 2.0, yaw=np.pi / 4))
    assert not square.meets(claim(1.8, 1.8, 2.0, 2.0, yaw=np.pi / 4))


def test_no_two_groups_claim_the_same_space(layouts: list[Room]) -> None:
    for layout in layouts:
        claims = layout.claims
        assert len(claims) > 3
        assert not any(one.meets(other) for i, one in enumerate(claims) for other in claims[:i])


def test_discover_numbers_the_rooms() -> None:
    sources = rooms_reader.discover(RoomsConfig(count=3, first=8))
    assert [source.scene for source in sources] == ["room_0008", "room_0009", "room_0010"]
    assert all(source.files == () for source in sources)


def test_reader_gives_the_room_of_its_seed() -> None:
    config = RoomsConfig(points=4_000, classes=("chair", "desk"), density=1.5, scanner_noise=0.01, occlusion=False)
    scan = rooms_reader.read("room_0001", 11, config)
    room = built(11, points=4_000, density=1.5, scanner_noise=0.01, occlusion=False)
    assert scan.scene == "room_0001"
    assert scan.class_ids == (5, 14)
    assert scan.boxes is None
    assert scan.instance is not None
    np.testing.assert_array_equal(scan.xyz, room.xyz)
    np.testing.assert_array_equal(scan.instance, room.instance)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minimum_side": 6.0, "maximum_side": 5.0}, "larger than maximum_side"),
        ({"boxes_from": "given"}, "no given boxes"),
        ({"classes": ("chair", "throne")}, "throne"),
        ({"count": 0}, "greater than or equal to 1"),
    ],
)
def test_impossible_configurations_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RoomsConfig(**options)

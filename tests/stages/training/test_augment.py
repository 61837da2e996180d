"""Random changes of scenes."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
import torch

from stages.training.augment import MOST_NODES, Augmentation, augment, smooth_noise
from stages.training.batch import TrainingScene
from tests.stages.training.toy_rooms import toy_room

NOTHING = Augmentation(**dict.fromkeys((one.name for one in fields(Augmentation)), 0.0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_center_of_points(scene: TrainingScene) -> TrainingScene:
    """Centres that are points of the scene, so that they have to move as those do."""
    assert scene.labels is not None
    return replace(scene, labels=replace(scene.labels, center=scene.xyz[: len(scene.labels)]))


def test_without_options_nothing_changes() -> None:
    scene = toy_room(2)
    assert augment(scene, NOTHING, generator()) is scene


@pytest.mark.parametrize("option", ["color_shift", "color_contrast", "color_jitter"])
def test_colour_options_move_nothing(option: str) -> None:
    scene = toy_room(2)
    changed = augment(scene, replace(NOTHING, **{option: 0.2}), generator())
    assert changed.xyz is scene.xyz
    assert changed.labels is scene.labels
    assert not torch.equal(changed.color, scene.color)
    assert float(changed.color.abs().max()) <= 1


def test_options_of_place_keep_colours() -> None:
    scene = toy_room(2)
    changed = augment(scene, replace(NOTHING, rotation=180.0), generator())
    assert changed.color is scene.color
    assert changed.superpoint is scene.superpoint


@pytest.mark.parametrize(
    "options",
    [
        replace(NOTHING, rotation=180.0),
        replace(NOTHING, mirror=0.5),
        replace(NOTHING, scale=0.3),
        replace(NOTHING, elastic=0.1, elastic_cell=0.4),
        Augmentation(),
    ],
)
def test_centres_move_along(options: Augmentation) -> None:
    for seed in range(5):
        changed = augment(with_center_of_points(toy_room(3)), options, generator(seed))
        assert changed.labels is not None
        assert torch.equal(changed.labels.center, changed.xyz[:3])


def test_rotation_turns_about_the_vertical() -> None:
    scene = toy_room(2)
    angles = []
    for seed in range(200):
        turned = augment(scene, replace(NOTHING, rotation=60.0), generator(seed)).xyz
        torch.testing.assert_close(turned[:, 2], scene.xyz[:, 2])
        torch.testing.assert_close(torch.pdist(turned[:20]), torch.pdist(scene.xyz[:20]), rtol=1e-4, atol=1e-5)
        (x, y), (new_x, new_y) = scene.xyz[0, :2].tolist(), turned[0, :2].tolist()
        angles.append(math.degrees(math.atan2(x * new_y - y * new_x, x * new_x + y * new_y)))
    assert -60.001 <= min(angles) < -50
    assert 50 < max(angles) <= 60.001


def test_mirror_changes_the_hand_of_the_room() -> None:
    scene = toy_room(2)
    signs = set()
    for seed in range(40):
        mirrored = augment(scene, replace(NOTHING, mirror=0.5), generator(seed)).xyz
        sign = torch.where(mirrored[0] == scene.xyz[0], 1.0, -1.0)
        assert torch.equal(mirrored, scene.xyz * sign)
        signs.add(tuple(sign.tolist()))
    assert signs == {(1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, 1)}


def test_scale_keeps_shapes() -> None:
    scene = toy_room(2)
    factors = []
    for seed in range(100):
        scaled = augment(scene, replace(NOTHING, scale=0.2), generator(seed)).xyz
        factor = float(scaled[0, 0] / scene.xyz[0, 0])
        torch.testing.assert_close(scaled, scene.xyz * factor)
        factors.append(factor)
    assert 0.8 - 1e-4 <= min(factors) < 0.83
    assert 1.17 < max(factors) <= 1.2 + 1e-4


def test_elastic_distortion_is_of_the_stated_size_and_smooth() -> None:
    places = torch.rand(20000, 3, generator=generator()) * 20
    cell = 0.5
    noise = smooth_noise(places, cell, generator(1))
    assert noise.shape == places.shape
    # interpolation between nodes takes a little of their standard deviation of 1
    torch.testing.assert_close(noise.std(dim=0), torch.full((3,), 0.95), rtol=0, atol=0.08)
    assert float(noise.mean(dim=0).abs().max()) < 0.1
    near = smooth_noise(torch.cat([places, places + 0.02]), cell, generator(1))
    assert float((near[:20000] - near[20000:]).abs().max()) < 0.3
    assert abs(float(torch.corrcoef(noise.T)[0, 1])) < 0.1


def test_a_stray_point_costs_no_memory() -> None:
    places = torch.rand(50, 3, generator=generator())
    places[0] = 1e6
    noise = smooth_noise(places, 0.2, generator())
    assert torch.isfinite(noise).all()
    assert float(noise[1:].std(dim=0).max()) < 0.2
    assert MOST_NODES**3 * 3 * 4 < 16 * 1024**2


def test_dropped_colours_are_zeros() -> None:
    scene = toy_room(2)
    dropped = [not augment(scene, replace(NOTHING, color_drop=0.5), generator(s)).color.any() for s in range(200)]
    assert 70 < sum(dropped) < 130
    assert not augment(scene, replace(Augmentation(), color_drop=1.0), generator()).color.any()


def test_a_scan_without_colours_gets_none() -> None:
    scene = toy_room(2)
    colorless = replace(scene, color=torch.zeros_like(scene.color))
    assert augment(colorless, Augmentation(), generator()).color is colorless.color


@pytest.mark.parametrize("scene", [toy_room(0), replace(toy_room(2), labels=None)])
def test_scenes_without_objects_or_labels(scene: TrainingScene) -> None:
    changed = augment(scene, Augmentation(), generator())
    assert changed.xyz.shape == scene.xyz.shape
    assert (changed.labels is None) == (scene.labels is None)


def test_a_single_point() -> None:
    scene = toy_room(1)
    point = replace(scene, xyz=scene.xyz[:1], color=scene.color[:1], superpoint=scene.superpoint[:1] * 0, labels=None)
    assert torch.isfinite(augment(point, Augmentation(), generator()).xyz).all()


def test_a_scene_without_points() -> None:
    scene = toy_room(1)
    empty = replace(scene, xyz=scene.xyz[:0], color=scene.color[:0], superpoint=scene.superpoint[:0], labels=None)
    assert len(augment(empty, Augmentation(), generator()).xyz) == 0


def test_the_generator_alone_decides() -> None:
    scene = toy_room(2)
    first, again = (augment(scene, Augmentation(), generator(5)) for _ in range(2))
    other = augment(scene, Augmentation(), generator(6))
    assert torch.equal(first.xyz, again.xyz)
    assert torch.equal(first.color, again.color)
    assert not torch.equal(first.xyz, other.xyz)
    assert scene.xyz.equal(toy_room(2).xyz)

"""What networks get from the backbone."""

from dataclasses import replace

import pytest
import torch

from stages.training.backbone import Backbone
from stages.training.batch import TrainingScene, collate

WIDTHS = (4, 6)


def scene(seed: int, points: int = 300, regions: int = 7) -> TrainingScene:
    generator = torch.Generator().manual_seed(seed)
    xyz = 2 * torch.rand(points, 3, generator=generator)
    color = 2 * torch.rand(points, 3, generator=generator) - 1
    return TrainingScene(f"scene{seed}", xyz, color, torch.arange(points) % regions, regions)


def network() -> Backbone:
    torch.manual_seed(0)
    return Backbone(voxel_size=0.2, widths=WIDTHS).eval()


def test_shapes_positions_and_counts() -> None:
    one, other = scene(0), scene(1, 100, 3)
    batch = collate([one, other])
    found = network()(batch)
    assert found.feature.shape == (len(found.voxels), WIDTHS[0])
    assert found.region_feature.shape == (10, WIDTHS[0])
    assert found.point_feature.shape == (400, WIDTHS[0])
    assert found.region_points.sum() == 400
    torch.testing.assert_close(found.region_position[8], other.xyz[1::3].mean(dim=0))
    torch.testing.assert_close(found.region_feature[8], found.point_feature[301::3].mean(dim=0))
    inside = found.voxels.of_point == 5
    torch.testing.assert_close(found.position[5], batch.xyz[inside].mean(dim=0))


def test_a_scene_has_the_features_that_it_has_alone() -> None:
    one, other = scene(0), scene(1, 100, 3)
    net = network()
    together = net(collate([one, other])).region_feature
    torch.testing.assert_close(together, torch.cat([net(collate([each])).region_feature for each in (one, other)]))


def test_place_of_the_scene_does_not_matter() -> None:
    one = scene(0)
    net = network()
    moved = replace(one, xyz=one.xyz + torch.tensor([2.0, -4.0, 8.0]))
    expected = net(collate([one])).region_feature
    torch.testing.assert_close(net(collate([moved])).region_feature, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("what", ["color", "height", "place in the voxel"])
def test_features_depend_on(what: str) -> None:
    one = scene(0)
    net = network()
    expected = net(collate([one])).region_feature[0]
    xyz, color = one.xyz.clone(), one.color.clone()
    if what == "color":
        color[::7] *= -1
    elif what == "height":
        # something far below that is nobody's neighbour
        xyz[1] = torch.tensor([1.0, 1.0, -9.0])
    else:
        xyz[::7] = (xyz[::7] / 0.2).floor() * 0.2 + 0.1
    found = net(collate([replace(one, xyz=xyz, color=color)])).region_feature[0]
    assert (found - expected).abs().max() > 1e-4


def test_scenes_without_colour_still_have_shape() -> None:
    """Nothing but a one says that a voxel is occupied where all other inputs are zero."""
    net = network()
    flat = torch.full((2, 3), 0.1)
    two_apart = torch.tensor([[0.1, 0.1, 0.1], [0.1, 0.3, 0.1]])
    features = []
    for xyz in (flat, two_apart):
        one = TrainingScene("scene", xyz, torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64), 1)
        features.append(net(collate([one])).region_feature)
    assert (features[0] - features[1]).abs().max() > 1e-4


def test_region_features_have_32_bits_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        found = network()(collate([scene(0)]))
    assert found.feature.dtype is torch.bfloat16
    assert found.region_feature.dtype is torch.float32


def test_one_point() -> None:
    found = network().train()(collate([scene(0, 1, 1)]))
    assert found.region_feature.shape == (1, WIDTHS[0])
    assert torch.isfinite(found.region_feature).all()


def test_points_that_are_not_finite_are_refused() -> None:
    one = scene(0)
    xyz = one.xyz.clone()
    xyz[3, 1] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        network()(collate([replace(one, xyz=xyz)]))

"""The U-Net: invariances, independence of scenes, and that it learns."""

import pytest
import torch
from torch import Tensor, nn

from stages.training.sparse.unet import Norm, UNet
from stages.training.sparse.voxels import Voxels, voxelize

WIDTHS = (4, 6, 8)


def scene(seed: int, points: int = 600) -> tuple[Tensor, Tensor]:
    """Points of a floor and a wall, and a feature of each."""
    generator = torch.Generator().manual_seed(seed)
    xyz = 2 * torch.rand(points, 3, generator=generator)
    xyz[: points // 2, 2] = 0.02
    xyz[points // 2 :, 0] = 0.02
    return xyz, torch.randn(points, 3, generator=generator)


def network(*, train: bool = False) -> UNet:
    torch.manual_seed(0)
    return UNet(3, WIDTHS).train(train)


def of_points(net: UNet, xyz: Tensor, feature: Tensor, scene_of_point: Tensor | None = None) -> Tensor:
    voxels = _voxels(xyz, scene_of_point)
    result: Tensor = net(voxels, voxels.mean(feature))
    return result[voxels.of_point]


def _voxels(xyz: Tensor, scene_of_point: Tensor | None = None) -> Voxels:
    scenes = torch.zeros(len(xyz), dtype=torch.int64) if scene_of_point is None else scene_of_point
    return voxelize(xyz, scenes, 0.1, len(WIDTHS))


def test_order_of_points_does_not_matter() -> None:
    xyz, feature = scene(0)
    order = torch.randperm(len(xyz), generator=torch.Generator().manual_seed(1))
    net = network(train=True)
    torch.testing.assert_close(of_points(net, xyz, feature)[order], of_points(net, xyz[order], feature[order]))


def test_place_does_not_matter() -> None:
    xyz, feature = scene(0)
    net = network()
    moved = xyz.double() + torch.tensor([0.7, -12.3, 100.1], dtype=torch.float64)
    assert torch.equal(of_points(net, xyz.double(), feature), of_points(net, moved, feature))


def test_scenes_of_a_batch_do_not_mix() -> None:
    (xyz, feature), (other_xyz, other_feature) = scene(0), scene(1, 200)
    net = network()
    scenes = torch.cat([torch.zeros(len(xyz)), torch.ones(len(other_xyz))]).long()
    together = of_points(net, torch.cat([xyz, other_xyz]), torch.cat([feature, other_feature]), scenes)
    torch.testing.assert_close(together[: len(xyz)], of_points(net, xyz, feature))
    torch.testing.assert_close(together[len(xyz) :], of_points(net, other_xyz, other_feature))


def test_sees_as_far_as_its_widest_voxels() -> None:
    """The five convolutions at the finest resolution reach five voxels."""
    xyz = torch.stack([torch.arange(64) * 0.1 + 0.05, torch.zeros(64), torch.zeros(64)], dim=1)
    feature = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    result = of_points(network(), xyz, feature)
    (gradient,) = torch.autograd.grad(result[32].sum(), feature)
    reached = gradient.abs().sum(dim=1).nonzero()[:, 0]
    assert int(reached.max()) - 32 > 8
    assert 32 - int(reached.min()) > 8


def test_learns_what_a_voxel_alone_does_not_say() -> None:
    """Whether there is something above: neighbours tell."""
    xyz, _ = scene(0, 200)
    feature = torch.ones(len(xyz), 3)
    voxels = _voxels(xyz)
    cell = {tuple(one) for one in voxels.levels[0].coordinate.tolist()}
    above = torch.tensor([(x, y, z + 1) in cell for x, y, z in voxels.levels[0].coordinate.tolist()]).float()
    net, head = network(train=True), nn.Linear(WIDTHS[0], 1)
    optimizer = torch.optim.AdamW([*net.parameters(), *head.parameters()], lr=0.02)
    for _ in range(20):
        optimizer.zero_grad()
        logit = head(net(voxels, voxels.mean(feature)))[:, 0]
        nn.functional.binary_cross_entropy_with_logits(logit, above).backward()
        optimizer.step()
    assert ((logit > 0) == (above > 0.5)).float().mean() > 0.98


def test_training_repeats_to_the_bit() -> None:
    xyz, feature = scene(0)

    def trained() -> list[Tensor]:
        net = network(train=True)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            of_points(net, xyz, feature).square().mean().backward()
            optimizer.step()
        return [one.detach() for one in net.parameters()]

    assert all(torch.equal(*both) for both in zip(trained(), trained(), strict=True))


@pytest.mark.parametrize("points", [1, 2])
def test_trains_on_next_to_nothing(points: int) -> None:
    net = network(train=True)
    result = of_points(net, torch.rand(points, 3), torch.rand(points, 3))
    result.sum().backward()
    assert torch.isfinite(result).all()
    assert all(one.grad is not None and torch.isfinite(one.grad).all() for one in net.parameters())


def test_half_the_bits() -> None:
    xyz, feature = scene(0)
    net = network(train=True)
    expected = of_points(net, xyz, feature)
    with torch.autocast("cpu", torch.bfloat16):
        found = of_points(net, xyz, feature)
        found.float().square().mean().backward()
    assert found.dtype is torch.bfloat16
    assert (found.float() - expected).abs().mean() < 0.05 * expected.abs().mean()
    assert all(one.grad is not None and one.grad.dtype is torch.float32 for one in net.parameters())


def test_one_voxel_goes_by_the_running_statistics() -> None:
    norm = Norm(2)
    norm.running_mean.copy_(torch.tensor([1.0, 2.0]))  # type: ignore[union-attr]
    row = torch.tensor([[3.0, 5.0]])
    torch.testing.assert_close(norm(row), torch.tensor([[2.0, 3.0]]), atol=1e-4, rtol=0.0)
    assert norm.num_batches_tracked == 0
